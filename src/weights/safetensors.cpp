#include "raven/weights/safetensors.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "raven/core/error.h"
#include "raven/core/new_file.h"
#include "raven/core/sha256.h"
#include "raven/core/utf8.h"
#include "raven/weights/mapped_file.h"
#include "weights/safetensors_header.h"

namespace raven::weights {
namespace {

namespace fs = std::filesystem;

torch::Tensor empty_tensor(const TensorPlace& place) {
  return torch::empty(place.shape, torch::TensorOptions().dtype(place.type));
}

SafetensorsHeader read_header(std::string_view bytes, const std::string& source,
                              std::uint64_t& data_start) {
  const auto length = safetensors_header_length(bytes, bytes.size(), source);
  data_start = kLengthBytes + length;
  auto header = parse_safetensors_header(bytes.substr(kLengthBytes, length),
                                         bytes.size() - data_start, source);
  const auto listed = header.metadata.find(kMetadataHash);
  if (listed != header.metadata.end() && listed->second != header_sha256(header)) {
    throw CheckpointError(fmt::format(
        "{}: its metadata, or a tensor's name, type or shape, are damaged: their SHA-256 is not "
        "the one that the file lists; fetch or write the file again (who changed metadata on "
        "purpose removes '{}' from them)",
        source, kMetadataHash));
  }
  return header;
}

/// A bool that is neither 0 nor 1 has no meaning in C++.
void check_flags(const TensorPlace& place, std::string_view bytes, const std::string& source) {
  if (place.type != c10::ScalarType::Bool) return;
  for (const char flag : bytes) {
    if (flag != 0 && flag != 1) {
      throw CheckpointError(fmt::format("{}: tensor '{}' of BOOL holds {:#04x}", source,
                                        printable(place.name), static_cast<std::uint8_t>(flag)));
    }
  }
}

/// Every tensor of a file, made by `make(place, begin)` from where its bytes begin.
template <class Make>
TensorFile read_tensors(std::string_view bytes, const std::string& source, Make make) {
  std::uint64_t start = 0;
  auto header = read_header(bytes, source, start);
  TensorFile content;
  content.metadata = std::move(header.metadata);
  for (const auto& place : header.places) {
    const auto begin = start + place.begin;
    check_flags(place, bytes.substr(begin, place.end - place.begin), source);
    content.tensors.emplace_back(place.name, make(place, begin));
  }
  return content;
}

std::string_view bytes_of(const torch::Tensor& tensor) {
  return {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()};
}

/// Returns the SHA-256, or nothing when it is not asked for. Each piece is hashed while it is in
/// the processor's cache.
std::string write_tensor(const torch::Tensor& contiguous, bool hash, NewFile& out) {
  constexpr std::size_t kPiece = 1 << 18;
  Sha256 sha256;
  for (auto rest = bytes_of(contiguous); !rest.empty();) {
    const auto piece = rest.substr(0, kPiece);
    rest.remove_prefix(piece.size());
    if (hash) sha256.update(piece);
    out.write(piece);
  }
  return hash ? sha256.hex() : "";
}

/// Order of the data: large elements first, so that every tensor is aligned to its element.
std::vector<std::size_t> data_order(const TensorFile& content) {
  std::vector<std::size_t> order(content.tensors.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return content.tensors[a].second.element_size() > content.tensors[b].second.element_size();
  });
  return order;
}

}  // namespace

const torch::Tensor& TensorFile::at(const std::string& name) const {
  for (const auto& [known, tensor] : tensors) {
    if (known == name) return tensor;
  }
  throw CheckpointError(fmt::format("no tensor '{}' among {}", name, tensors.size()));
}

std::string TensorFile::said(const std::string& key) const {
  const auto found = metadata.find(key);
  return found == metadata.end() ? "" : found->second;
}

TensorFile read_safetensors(const fs::path& file) {
  return read_safetensors(std::make_shared<MappedFile>(file));
}

TensorFile read_safetensors(const std::shared_ptr<MappedFile>& file) {
  auto content =
      read_tensors(file->bytes(), file->name(), [&](const auto& place, std::uint64_t begin) {
        auto tensor = empty_tensor(place);
        if (place.end > place.begin) {
          file->copy(begin, place.end - place.begin, static_cast<char*>(tensor.mutable_data_ptr()));
        }
        return tensor;
      });
  content.mapping = file;
  return content;
}

TensorFile map_safetensors(const fs::path& file) {
  return map_safetensors(std::make_shared<MappedFile>(file));
}

TensorFile map_safetensors(const std::shared_ptr<MappedFile>& mapping) {
  auto content =
      read_tensors(mapping->bytes(), mapping->name(), [&](const auto& place, std::uint64_t begin) {
        const auto size = place.end - place.begin;
        if (size > 0 && begin % c10::elementSize(place.type) == 0) {
          return torch::from_blob(
              mapping->data() + begin, place.shape, [mapping](void*) {},
              torch::TensorOptions().dtype(place.type));
        }
        auto tensor = empty_tensor(place);
        if (size > 0) mapping->copy(begin, size, static_cast<char*>(tensor.mutable_data_ptr()));
        return tensor;
      });
  content.mapping = mapping;
  return content;
}

TensorFile parse_safetensors(std::string_view bytes, const std::string& source) {
  return read_tensors(bytes, source, [&](const auto& place, std::uint64_t begin) {
    auto tensor = empty_tensor(place);
    const auto part = bytes.substr(begin, place.end - place.begin);
    if (!part.empty()) std::memcpy(tensor.mutable_data_ptr(), part.data(), part.size());
    return tensor;
  });
}

std::map<std::string, std::string> read_safetensors_metadata(const fs::path& file) {
  const MappedFile mapping(file);
  std::uint64_t start = 0;
  return read_header(mapping.bytes(), file.string(), start).metadata;
}

void write_safetensors(const fs::path& file, const TensorFile& content,
                       const WriteOptions& options) {
  SafetensorsHeader header;
  header.metadata = content.metadata;
  for (const char* key : {kTensorHashes, kMetadataHash})
    header.metadata.erase(key);  // of another file
  auto hashes = nlohmann::json::object();
  for (const auto& [name, tensor] : content.tensors) {
    header.places.push_back(
        {.name = name, .type = tensor.scalar_type(), .shape = tensor.sizes().vec()});
    hashes[name] = std::string(kSha256Digits, '0');
  }
  const auto order = data_order(content);
  std::uint64_t next = 0;
  for (const auto i : order) {
    header.places[i].begin = next;
    header.places[i].end = next += content.tensors[i].second.nbytes();
  }
  if (options.hashes) {
    header.metadata[kTensorHashes] = hashes.dump();
    header.metadata[kMetadataHash] = std::string(kSha256Digits, '0');
  }
  const auto text = safetensors_header_text(header);
  const std::uint64_t length = text.size();
  std::string length_bytes(kLengthBytes, '\0');
  std::memcpy(length_bytes.data(), &length, kLengthBytes);
  NewFile out(file);
  out.write(length_bytes);
  out.write(text);
  for (const auto i : order) {
    const auto& [name, tensor] = content.tensors[i];
    auto hash = write_tensor(tensor.cpu().contiguous(), options.hashes, out);
    if (options.hashes) hashes[name] = std::move(hash);
    if (options.forget && content.mapping)
      content.mapping->forget(tensor.const_data_ptr(), tensor.nbytes());
  }
  if (options.hashes) header.metadata[kTensorHashes] = hashes.dump();
  if (options.complete) options.complete(header.metadata);
  if (options.hashes) {  // of what is read back: bytes that are not UTF-8 are written otherwise
    header.metadata[kMetadataHash] = header_sha256(
        parse_safetensors_header(safetensors_header_text(header), next, file.string()));
  }
  const auto complete = safetensors_header_text(header);
  RAVEN_CHECK(complete.size() == length,
              "metadata changed their length while tensors were written");
  if (complete != text) out.replace(kLengthBytes, complete);
  out.commit();
}

}  // namespace raven::weights
