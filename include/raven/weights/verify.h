// Checks that a file of weights holds what was written, by its hashes.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "raven/weights/safetensors.h"

namespace raven::weights {

/// Each tensor's SHA-256 by name, as a file's metadata list them under kTensorHashes; empty when
/// they do not. Throws CheckpointError when what they list is not such an object.
std::map<std::string, std::string> listed_hashes(
    const std::map<std::string, std::string>& metadata);

/// Throws CheckpointError naming the tensor whose SHA-256 is not the listed one, or the entry of a
/// PyTorch archive that is damaged (sha256_and_verify). Once a file lists one tensor, each must be
/// listed. Where a file lists neither, nothing is compared; one that lists tensors, but not what
/// its metadata are, is an older one of ours, and the log says so. `content`: what was read from
/// `file`, under the file's own names.
void verify(const std::filesystem::path& file, const TensorFile& content);

}  // namespace raven::weights
