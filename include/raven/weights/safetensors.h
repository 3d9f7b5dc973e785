// The safetensors format: named tensors with a small JSON header, nothing executable.
#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "raven/weights/mapped_file.h"

namespace raven::weights {

struct TensorFile {
  std::vector<std::pair<std::string, torch::Tensor>> tensors;  // in file order, CPU
  std::map<std::string, std::string> metadata;
  /// The file as it was opened, which tensors may lie in; empty: made or parsed in memory. Hashes
  /// of what was read are taken of it, as the path may by now lead to another file.
  std::shared_ptr<MappedFile> mapping = {};

  /// The tensor of that name; throws CheckpointError naming it.
  [[nodiscard]] const torch::Tensor& at(const std::string& name) const;
  /// What the metadata say under `key`; empty when they say nothing.
  [[nodiscard]] std::string said(const std::string& key) const;
};

/// Throws CheckpointError with file, tensor and reason for anything malformed: sizes, offsets,
/// types and overlaps are checked before memory is taken, and a BOOL must be 0 or 1.
TensorFile read_safetensors(const std::filesystem::path& file);
/// The same from a file that is open already.
TensorFile read_safetensors(const std::shared_ptr<MappedFile>& file);

/// The same, with tensors that lie in the mapped file where they are aligned to their elements:
/// their numbers are read when they are first used, and writing to one copies the page, not the
/// file. If the file is truncated while it is mapped, the process dies (SIGBUS); replacing it
/// by a rename is safe.
TensorFile map_safetensors(const std::filesystem::path& file);
TensorFile map_safetensors(const std::shared_ptr<MappedFile>& file);

/// The same for bytes that are already in memory; `source` stands for the file in messages.
TensorFile parse_safetensors(std::string_view bytes, const std::string& source);

/// Metadata alone, without reading any tensor. Checks the header as read_safetensors does.
std::map<std::string, std::string> read_safetensors_metadata(const std::filesystem::path& file);

/// The metadata of WriteOptions::hashes. The second is compared whenever a file is opened that has
/// it; verify() compares the first.
inline constexpr const char* kTensorHashes = "tensor_sha256";
inline constexpr const char* kMetadataHash = "metadata_sha256";

struct WriteOptions {
  /// Adds the metadata kTensorHashes, a JSON object of each tensor's SHA-256, taken while it is
  /// written, and kMetadataHash, the SHA-256 of everything that the header says. Without it those
  /// of the content are left out, since its tensors may have changed.
  bool hashes = false;
  /// Gives back the memory of mapped tensors as they are written; changes made to them are lost
  /// (MappedFile::forget).
  bool forget = false;
  /// Called when all tensors are written, for metadata that are known only then: it may replace
  /// values by others of the same length. What it throws leaves no file.
  std::function<void(std::map<std::string, std::string>&)> complete = {};
};

/// Writes atomically. Tensors may live anywhere; they are copied to the CPU one at a time. In the
/// file they lie by falling element size, so each is aligned; the header keeps their order. Throws
/// SystemError.
void write_safetensors(const std::filesystem::path& file, const TensorFile& content,
                       const WriteOptions& options = {});

}  // namespace raven::weights
