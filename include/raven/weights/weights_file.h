// Any file with weights, whatever its format: its tensors by name, mapped.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "raven/weights/safetensors.h"

namespace raven::weights {

enum class WeightsFormat { kSafetensors, kPytorchZip, kPytorchLegacy };

/// "safetensors", "PyTorch archive (zip)", "PyTorch archive (before 1.6)".
std::string format_name(WeightsFormat format);

struct WeightsFile {
  WeightsFormat format = WeightsFormat::kSafetensors;
  TensorFile content;
  /// What else a PyTorch archive holds, by the keys on the way: ("epoch", "3"). Text, numbers,
  /// true, false, None and empty containers.
  std::vector<std::pair<std::string, std::string>> values;
};

/// Opens the file, once, and tells its format by the first bytes. Nested dicts of an archive become
/// names joined by dots. Throws CheckpointError as read_pytorch_archive and read_safetensors do,
/// and for two tensors of one name.
WeightsFile open_weights(const std::filesystem::path& file);

/// SHA-256 of a file, read once from front to back. In a zip archive of PyTorch each entry is
/// compared with the CRC-32 that the archive lists for it; 0 there means that it was left out, as
/// torch.save can be told. Throws CheckpointError for an entry that differs.
std::string sha256_and_verify(const std::filesystem::path& file);
/// The same of a file that is open already: what was read from it is what is hashed.
std::string sha256_and_verify(const MappedFile& file);

}  // namespace raven::weights
