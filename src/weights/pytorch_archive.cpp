#include "raven/weights/pytorch_archive.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "raven/core/error.h"
#include "raven/core/utf8.h"
#include "raven/weights/mapped_file.h"
#include "weights/pickle.h"
#include "weights/zip_directory.h"

namespace raven::weights {
namespace {

constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxValues = 1'000'000;  // of the result, in which shared parts are repeated
constexpr std::uint64_t kMostTimesFile = 8, kSpareBytes = 16ULL << 20;
constexpr std::uint64_t kMaxRemarkBytes = 64;  // of `version` and `byteorder`
constexpr std::string_view kAdvised;           // the message says already what to do

// The first pickle of the older layout is this number.
constexpr std::string_view kLegacyMagic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);
constexpr std::int64_t kLegacyVersion = 1001;

/// Where the bytes come from: a mapping that tensors may lie in, or memory that they may not.
struct Source {
  std::string_view bytes;
  std::string name;
  std::shared_ptr<MappedFile> mapping;  // empty: copy

  [[noreturn]] void refuse(const std::string& problem, std::string_view advice = kSaveAnew) const {
    throw CheckpointError(
        fmt::format("{}: {}{}{}", name, problem, advice.empty() ? "" : "; ", advice));
  }
};

struct Place {
  std::uint64_t begin = 0, size = 0;
};

/// A pickle's result and where its storages lie.
struct Parsed {
  ArchiveLayout layout = ArchiveLayout::kZip;
  PickleHeap heap;
  PickleIndex root = 0;
  std::vector<Place> storages;  // by index in the heap
};

std::string short_name(std::string_view name) { return printable(name.substr(0, 200)); }

// --- the zip layout ---

class ZipArchive {
 public:
  explicit ZipArchive(const Source& source) : source_(source) {
    for (const auto& entry : read_zip_directory(source.bytes, source.name)) add(entry);
  }

  Parsed parse() const {
    check_remarks();
    const auto& pickle = entry("data.pkl");
    if (pickle.size > kMaxPickleBytes) {
      source_.refuse(
          fmt::format("data.pkl has {} bytes, expected at most {}", pickle.size, kMaxPickleBytes),
          kSaveTensorsAlone);
    }
    Parsed parsed;
    std::uint64_t used = 0;
    parsed.root = run_pickle(content(pickle), source_.name + ": data.pkl", parsed.heap, used);
    if (used != pickle.size) {
      source_.refuse(fmt::format("data.pkl: {} bytes follow the pickle", pickle.size - used));
    }
    for (const auto& storage : parsed.heap.storages) parsed.storages.push_back(place_of(storage));
    return parsed;
  }

 private:
  void add(const ZipEntry& entry) {
    const auto slash = entry.name.find('/');
    const auto folder = entry.name.substr(0, slash);
    if (slash == std::string_view::npos || (!entries_.empty() && folder != folder_)) {
      source_.refuse(fmt::format("entry '{}' lies outside the archive's folder '{}'",
                                 short_name(entry.name), short_name(folder_)));
    }
    folder_ = folder;
    const auto name = entry.name.substr(slash + 1);
    if (is_torchscript(entry.name)) source_.refuse(kTorchScript, kAdvised);
    const bool known = name == "data.pkl" || name == "version" || name == "byteorder" ||
                       name.substr(0, 5) == "data/" || name.front() == '.';
    if (!known) {
      source_.refuse(
          fmt::format("entry '{}' is not one that torch.save writes", short_name(entry.name)),
          kSaveTensorsAlone);
    }
    entries_.emplace(name, entry);
  }

  [[nodiscard]] const ZipEntry& entry(const std::string& name) const {
    const auto found = entries_.find(name);
    if (found == entries_.end()) {
      source_.refuse(fmt::format("has no entry '{}/{}'; is it a file of torch.save?",
                                 short_name(folder_), printable(name)));
    }
    return found->second;
  }
  [[nodiscard]] std::string_view content(const ZipEntry& entry) const {
    return source_.bytes.substr(entry.begin, entry.size);
  }
  [[nodiscard]] std::string_view remark(const std::string& name) const {
    return content(entry(name)).substr(0, kMaxRemarkBytes);
  }

  void check_remarks() const {
    const auto version = remark("version");
    const auto digits = version.substr(0, version.find('\n'));
    const bool number =
        !digits.empty() && digits.size() <= 2 &&
        std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!number || std::stoi(std::string(digits)) > 10) {
      source_.refuse(
          fmt::format("has version '{}', expected a number up to 10", printable(digits)));
    }
    if (entries_.count("byteorder") == 0) return;  // before PyTorch 2.1: little
    const auto order = remark("byteorder");
    if (order == "big") {
      source_.refuse(
          "is big-endian (byteorder says 'big'); save it anew on a little-endian machine",
          kAdvised);
    }
    if (order != "little") {
      source_.refuse(fmt::format("has byteorder '{}', expected 'little'", printable(order)));
    }
  }

  [[nodiscard]] Place place_of(const PickleStorage& storage) const {
    const auto& found = entry("data/" + std::string(storage.key));
    if (found.size != storage.bytes) {
      source_.refuse(fmt::format("storage '{}' has {} elements, {} bytes, but its entry holds {}",
                                 short_name(storage.key), storage.elements, storage.bytes,
                                 found.size));
    }
    return {.begin = found.begin, .size = found.size};
  }

  const Source& source_;
  std::string_view folder_;
  std::unordered_map<std::string_view, ZipEntry> entries_;  // without the folder
};

// --- the older layout ---

class LegacyFile {
 public:
  explicit LegacyFile(const Source& source) : source_(source) {}

  /// Pickles of: a magic number, the layout's version, facts of the machine, the object, the
  /// storages' keys. Then for each key a count of elements (8 bytes) and the elements.
  Parsed parse() {
    PickleHeap facts;
    const auto magic = run("the first pickle", facts);
    if (facts.nodes[magic].kind != PickleKind::kBigInteger ||
        facts.nodes[magic].text != kLegacyMagic) {
      source_.refuse("is a pickle, but none that torch.save wrote (its magic number is missing)");
    }
    const auto version = run("the version", facts);
    if (facts.nodes[version].kind != PickleKind::kInteger ||
        facts.nodes[version].integer != kLegacyVersion) {
      source_.refuse(fmt::format("has another layout than version {}", kLegacyVersion));
    }
    check_machine(facts, run("the facts of the machine", facts));
    Parsed parsed;
    parsed.layout = ArchiveLayout::kLegacy;
    parsed.root = run("the object", parsed.heap);
    read_storages(parsed);
    return parsed;
  }

 private:
  PickleIndex run(const std::string& what, PickleHeap& heap) {
    std::uint64_t used = 0;
    const auto rest = source_.bytes.substr(position_, kMaxPickleBytes);
    const auto result = run_pickle(
        rest, fmt::format("{}: {}, which begins at byte {}", source_.name, what, position_), heap,
        used);
    position_ += used;
    return result;
  }

  void check_machine(const PickleHeap& heap, PickleIndex index) const {
    const auto& dict = heap.nodes[index];
    if (dict.kind != PickleKind::kDict) source_.refuse("facts of the machine are not a dict");
    const auto& items = heap.items(dict);
    for (std::size_t i = 0; i < items.size(); i += 2) {
      if (heap.nodes[items[i]].text != "little_endian") continue;
      const auto& value = heap.nodes[items[i + 1]];
      if (value.kind == PickleKind::kBool && value.integer == 1) return;
      source_.refuse(
          "is big-endian (little_endian is not true); save it anew on a little-endian machine",
          kAdvised);
    }
    source_.refuse("does not say whether it is little-endian");
  }

  void read_storages(Parsed& parsed) {
    PickleHeap keys_heap;
    const auto keys = run("the list of storages", keys_heap);
    if (keys_heap.nodes[keys].kind != PickleKind::kList) {
      source_.refuse("the list of storages is not a list");
    }
    std::unordered_map<std::string_view, std::size_t> wanted;
    for (std::size_t i = 0; i < parsed.heap.storages.size(); ++i) {
      wanted.emplace(parsed.heap.storages[i].key, i);
    }
    parsed.storages.resize(parsed.heap.storages.size());
    for (const auto item : keys_heap.items(keys_heap.nodes[keys])) {
      const auto& key = keys_heap.nodes[item];
      const auto found = key.kind == PickleKind::kText ? wanted.find(key.text) : wanted.end();
      if (found == wanted.end()) {
        source_.refuse("lists a storage twice, or one that no tensor has");
      }
      parsed.storages[found->second] = read_storage(parsed.heap.storages[found->second]);
      wanted.erase(found);
    }
    if (!wanted.empty()) {
      source_.refuse(
          fmt::format("storage '{}' is not in the file", short_name(wanted.begin()->first)));
    }
    if (position_ != source_.bytes.size()) {
      source_.refuse(
          fmt::format("{} bytes follow the last storage", source_.bytes.size() - position_));
    }
  }

  Place read_storage(const PickleStorage& storage) {
    const auto rest = source_.bytes.size() - position_;
    std::uint64_t count = 0;
    if (rest >= sizeof(count)) {
      std::memcpy(&count, source_.bytes.data() + position_, sizeof(count));
    }
    if (rest < sizeof(count) || storage.bytes > rest - sizeof(count)) {
      source_.refuse(
          fmt::format("storage '{}' of {} bytes at byte {} reaches beyond the file's {}; "
                      "is it cut short?",
                      short_name(storage.key), storage.bytes, position_, source_.bytes.size()));
    }
    if (count != storage.elements) {
      source_.refuse(
          fmt::format("storage '{}' has {} elements by the pickle and {} by its own count",
                      short_name(storage.key), storage.elements, count));
    }
    const Place place{.begin = position_ + sizeof(count), .size = storage.bytes};
    position_ = place.begin + place.size;
    return place;
  }

  const Source& source_;
  std::uint64_t position_ = 0;
};

// --- from nodes to values ---

class Builder {
 public:
  Builder(const Source& source, const Parsed& parsed)
      : source_(source), parsed_(parsed), storages_(parsed.heap.storages.size()) {}

  StoredValue build() {
    check(parsed_.root, 0);  // before any storage is looked at
    check_flags();
    return value(parsed_.root);
  }

 private:
  /// Counts what the result will hold. Shared parts are counted each time.
  void check(PickleIndex index, int depth) {
    const auto& node = parsed_.heap.nodes[index];
    if (depth > kMaxDepth) {
      source_.refuse(
          fmt::format("values are nested deeper than {}, or contain themselves", kMaxDepth),
          kSaveTensorsAlone);
    }
    if (++values_ > kMaxValues) {
      source_.refuse(
          fmt::format("more than {} values when shared ones are written out", kMaxValues),
          kSaveTensorsAlone);
    }
    switch (node.kind) {
      case PickleKind::kNone:
      case PickleKind::kBool:
      case PickleKind::kInteger:
      case PickleKind::kNumber:
        return;
      case PickleKind::kText:
        return count_bytes(node.text.size());
      case PickleKind::kTensor:
        return count_tensor(parsed_.heap.tensors[node.index]);
      case PickleKind::kTuple:
      case PickleKind::kList:
        for (const auto item : parsed_.heap.items(node)) check(item, depth + 1);
        return;
      case PickleKind::kDict:
        return check_dict(parsed_.heap.items(node), depth);
      case PickleKind::kBigInteger:
        source_.refuse("a whole number of more than 64 bits", kSaveTensorsAlone);
      case PickleKind::kName:
        if (node.name == PickleName::kDtype) return;
        source_.refuse("a type or function where a value is expected", kSaveTensorsAlone);
      case PickleKind::kStorage:
        source_.refuse("a storage outside a tensor", kSaveTensorsAlone);
    }
  }

  void check_dict(const std::vector<PickleIndex>& items, int depth) {
    std::unordered_set<std::string> keys;
    for (std::size_t i = 0; i < items.size(); i += 2) {
      auto key = key_text(items[i]);
      count_bytes(key.size());
      if (!keys.insert(key).second) {
        source_.refuse(fmt::format("a dict has the key '{}' twice", short_name(key)),
                       kSaveTensorsAlone);
      }
      check(items[i + 1], depth + 1);
    }
  }

  void count_bytes(std::uint64_t count) {
    bytes_ += count;
    if (bytes_ > kMostTimesFile * source_.bytes.size() + kSpareBytes) {
      source_.refuse(
          fmt::format("holds more than {} times its own {} bytes when shared parts and "
                      "repeated elements are written out",
                      kMostTimesFile, source_.bytes.size()));
    }
  }

  void count_tensor(const PickleTensor& tensor) {
    std::uint64_t bytes = c10::elementSize(tensor.type);  // the product was seen to fit
    for (const auto size : tensor.sizes) bytes *= static_cast<std::uint64_t>(size);
    count_bytes(bytes);
  }

  /// A bool that is neither 0 nor 1 has no meaning in C++.
  void check_flags() const {
    for (std::size_t i = 0; i < storages_.size(); ++i) {
      if (parsed_.heap.storages[i].type != c10::ScalarType::Bool) continue;
      const auto [begin, size] = parsed_.storages[i];
      for (const char flag : source_.bytes.substr(begin, size)) {
        if (flag != 0 && flag != 1) {
          source_.refuse(fmt::format("storage '{}' of bool holds {:#04x}",
                                     short_name(parsed_.heap.storages[i].key),
                                     static_cast<std::uint8_t>(flag)));
        }
      }
    }
  }

  std::string key_text(PickleIndex index) const {
    const auto& node = parsed_.heap.nodes[index];
    return node.kind == PickleKind::kText ? std::string(node.text) : std::to_string(node.integer);
  }

  StoredValue value(PickleIndex index) {
    const auto& node = parsed_.heap.nodes[index];
    switch (node.kind) {
      case PickleKind::kBool:
        return {node.integer != 0};
      case PickleKind::kInteger:
        return {node.integer};
      case PickleKind::kNumber:
        return {node.number};
      case PickleKind::kText:
        return {std::string(node.text)};
      case PickleKind::kName:
        return {"torch." + std::string(node.text)};  // a dtype
      case PickleKind::kTensor:
        return {tensor(parsed_.heap.tensors[node.index])};
      case PickleKind::kTuple:
      case PickleKind::kList: {
        StoredList list{.items = {}, .tuple = node.kind == PickleKind::kTuple};
        for (const auto item : parsed_.heap.items(node)) list.items.push_back(value(item));
        return {std::move(list)};
      }
      case PickleKind::kDict: {
        StoredDict dict;
        const auto& items = parsed_.heap.items(node);
        for (std::size_t i = 0; i < items.size(); i += 2) {
          dict.items.push_back({.key = key_text(items[i]), .value = value(items[i + 1])});
        }
        return {std::move(dict)};
      }
      default:
        return {};
    }
  }

  torch::Tensor tensor(const PickleTensor& view) {
    auto& storage = storages_[view.storage];
    if (!storage.defined()) storage = read_storage(view);
    return storage.as_strided(view.sizes, view.strides, view.offset);
  }

  /// One dimension; all views of a storage have one type.
  torch::Tensor read_storage(const PickleTensor& view) {
    const auto [begin, size] = parsed_.storages[view.storage];
    const auto element = c10::elementSize(view.type);
    const auto options = torch::TensorOptions().dtype(view.type);
    const auto count = static_cast<std::int64_t>(size / element);
    if (source_.mapping && size > 0 && begin % element == 0) {
      return torch::from_blob(
          source_.mapping->data() + begin, {count}, [mapping = source_.mapping](void*) {}, options);
    }
    auto copy = torch::empty({count}, options);
    const auto bytes = static_cast<std::uint64_t>(count) * element;
    if (bytes == 0) return copy;
    auto* to = static_cast<char*>(copy.mutable_data_ptr());
    if (source_.mapping) {
      source_.mapping->copy(begin, bytes, to);
    } else {
      std::memcpy(to, source_.bytes.data() + begin, bytes);
    }
    return copy;
  }

  const Source& source_;
  const Parsed& parsed_;
  std::vector<torch::Tensor> storages_;
  std::size_t values_ = 0;
  std::uint64_t bytes_ = 0;
};

bool starts_with(std::string_view bytes, std::string_view start) {
  return bytes.substr(0, start.size()) == start;
}

Parsed parse_layout(const Source& source) {
  if (source.bytes.empty()) source.refuse("is empty");
  if (starts_with(source.bytes, "PK")) return ZipArchive(source).parse();
  if (source.bytes.front() == '\x80') return LegacyFile(source).parse();
  if (starts_with(source.bytes, "version https://git-lfs")) {
    source.refuse("is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`",
                  kAdvised);
  }
  if (starts_with(source.bytes, "<"))
    source.refuse("is a web page; download the file again", kAdvised);
  if (source.bytes.size() > 262 && source.bytes.substr(257, 5) == "ustar") {
    source.refuse(
        "is a tar file, as PyTorch before 0.1.10 wrote them; load it there and save it anew",
        kAdvised);
  }
  source.refuse("begins like no file of torch.save (a zip archive or a pickle)");
}

PytorchArchive parse(const Source& source) {
  const auto parsed = parse_layout(source);
  return {
      .layout = parsed.layout, .root = Builder(source, parsed).build(), .mapping = source.mapping};
}

void collect(const StoredValue& value, const std::string& name,
             std::vector<std::pair<std::string, torch::Tensor>>& tensors) {
  const auto below = [&](const std::string& key) { return name.empty() ? key : name + "." + key; };
  if (const auto* tensor = value.as<torch::Tensor>()) tensors.emplace_back(name, *tensor);
  if (const auto* list = value.as<StoredList>()) {
    for (std::size_t i = 0; i < list->items.size(); ++i) {
      collect(list->items[i], below(std::to_string(i)), tensors);
    }
  }
  if (const auto* dict = value.as<StoredDict>()) {
    for (const auto& [key, item] : dict->items) collect(item, below(key), tensors);
  }
}

}  // namespace

const StoredValue* StoredDict::find(std::string_view key) const {
  for (const auto& [known, value] : items) {
    if (known == key) return &value;
  }
  return nullptr;
}

PytorchArchive read_pytorch_archive(const std::filesystem::path& file) {
  return read_pytorch_archive(std::make_shared<MappedFile>(file));
}

PytorchArchive read_pytorch_archive(const std::shared_ptr<MappedFile>& file) {
  return parse({.bytes = file->bytes(), .name = file->name(), .mapping = file});
}

PytorchArchive parse_pytorch_archive(std::string_view bytes, const std::string& source) {
  return parse({.bytes = bytes, .name = source, .mapping = nullptr});
}

std::vector<std::pair<std::string, torch::Tensor>> tensors_in(const StoredValue& root) {
  std::vector<std::pair<std::string, torch::Tensor>> tensors;
  collect(root, "", tensors);
  return tensors;
}

}  // namespace raven::weights
