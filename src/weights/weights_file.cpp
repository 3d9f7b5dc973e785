#include "raven/weights/weights_file.h"

#include <algorithm>
#include <unordered_set>

#include "raven/core/crc32.h"
#include "raven/core/error.h"
#include "raven/core/sha256.h"
#include "raven/core/utf8.h"
#include "raven/weights/pytorch_archive.h"
#include "weights/file_kind.h"
#include "weights/zip_directory.h"

namespace raven::weights {
namespace {

/// Collects what is not a tensor.
class Values {
 public:
  std::vector<std::pair<std::string, std::string>> found;

  void add(const StoredValue& value, const std::string& name) {
    const auto below = [&](const std::string& key) {
      return name.empty() ? key : name + "." + key;
    };
    if (const auto* list = value.as<StoredList>()) {
      for (std::size_t i = 0; i < list->items.size(); ++i) {
        add(list->items[i], below(std::to_string(i)));
      }
      if (list->items.empty()) found.emplace_back(name, list->tuple ? "()" : "[]");
    } else if (const auto* dict = value.as<StoredDict>()) {
      for (const auto& [key, item] : dict->items) add(item, below(key));
      if (dict->items.empty()) found.emplace_back(name, "{}");
    } else if (value.as<torch::Tensor>() == nullptr) {
      found.emplace_back(name, text_of(value));
    }
  }

 private:
  static std::string text_of(const StoredValue& value) {
    if (const auto* flag = value.as<bool>()) return *flag ? "true" : "false";
    if (const auto* integer = value.as<std::int64_t>()) return fmt::format("{}", *integer);
    if (const auto* number = value.as<double>()) return fmt::format("{}", *number);
    if (const auto* text = value.as<std::string>()) return *text;
    return "None";
  }
};

void refuse_double_names(const TensorFile& content, const std::string& source) {
  std::unordered_set<std::string_view> names;
  for (const auto& [name, tensor] : content.tensors) {
    if (!names.insert(name).second) {
      throw CheckpointError(fmt::format(
          "{}: two tensors are called '{}' when nested keys are joined", source, printable(name)));
    }
  }
}

/// CRCs of a zip archive's entries while its bytes pass by.
class EntryChecks {
 public:
  EntryChecks(std::vector<ZipEntry> entries, std::string source)
      : entries_(std::move(entries)), source_(std::move(source)) {
    std::sort(entries_.begin(), entries_.end(),
              [](const auto& a, const auto& b) { return a.begin < b.begin; });
  }

  /// The next bytes of the file.
  void update(std::string_view bytes) {
    const auto end = position_ + bytes.size();
    while (next_ < entries_.size() && entries_[next_].begin < end) {
      const auto& entry = entries_[next_];
      const auto from = std::max(entry.begin, position_);
      const auto to = std::min(entry.begin + entry.size, end);
      crc_ = crc32(bytes.substr(from - position_, to - from), crc_);
      if (entry.begin + entry.size > end) break;
      check(entry);
    }
    position_ = end;
  }

 private:
  void check(const ZipEntry& entry) {
    if (entry.crc != 0 && entry.crc != crc_) {
      throw CheckpointError(fmt::format(
          "{}: entry '{}' is damaged: its CRC-32 is {:08x}, the archive says {:08x}; fetch or save "
          "the file again",
          source_, printable(entry.name.substr(0, 200)), crc_, entry.crc));
    }
    crc_ = 0;
    ++next_;
  }

  std::vector<ZipEntry> entries_;
  std::string source_;
  std::uint64_t position_ = 0;
  std::size_t next_ = 0;
  std::uint32_t crc_ = 0;  // of the entry so far
};

}  // namespace

std::string format_name(WeightsFormat format) {
  switch (format) {
    case WeightsFormat::kSafetensors:
      return "safetensors";
    case WeightsFormat::kPytorchZip:
      return "PyTorch archive (zip)";
    case WeightsFormat::kPytorchLegacy:
      return "PyTorch archive (before 1.6)";
  }
  return "";
}

WeightsFile open_weights(const std::filesystem::path& file) {
  const auto mapping = std::make_shared<MappedFile>(file);
  const bool named_archive = file.extension() == ".pth" || file.extension() == ".pt" ||
                             file.extension() == ".ckpt" || file.extension() == ".bin";
  WeightsFile weights;
  if (!named_archive && !is_archive(mapping->bytes())) {
    weights.content = map_safetensors(mapping);
    return weights;
  }
  const auto archive = read_pytorch_archive(mapping);
  weights.format = archive.layout == ArchiveLayout::kZip ? WeightsFormat::kPytorchZip
                                                         : WeightsFormat::kPytorchLegacy;
  weights.content.tensors = tensors_in(archive.root);
  weights.content.mapping = archive.mapping;
  refuse_double_names(weights.content, file.string());
  Values values;
  values.add(archive.root, "");
  weights.values = std::move(values.found);
  return weights;
}

std::string sha256_and_verify(const std::filesystem::path& file) {
  return sha256_and_verify(MappedFile(file));
}

std::string sha256_and_verify(const MappedFile& file) {
  std::vector<ZipEntry> entries;
  if (is_zip(file.bytes())) entries = read_zip_directory(file.bytes(), file.name());
  EntryChecks checks(std::move(entries), file.name());
  Sha256 hash;
  file.each_block([&](std::string_view bytes) {
    hash.update(bytes);
    checks.update(bytes);
  });
  return hash.hex();
}

}  // namespace raven::weights
