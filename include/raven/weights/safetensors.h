// The safetensors format: named tensors with a small JSON header, nothing executable.
#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace raven::weights {

struct TensorFile {
  std::vector<std::pair<std::string, torch::Tensor>> tensors;  // in file order, CPU
  std::map<std::string, std::string> metadata;

  /// The tensor of that name; throws CheckpointError naming it.
  [[nodiscard]] const torch::Tensor& at(const std::string& name) const;
};

/// Throws CheckpointError with file, tensor and reason for anything malformed: sizes, offsets, types and
/// overlaps are checked before memory is taken.
TensorFile read_safetensors(const std::filesystem::path& file);

/// Writes atomically. Tensors may live anywhere; they are copied to the CPU. Throws SystemError.
void write_safetensors(const std::filesystem::path& file, const TensorFile& content);

}  // namespace raven::weights
