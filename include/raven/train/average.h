// The mean of several checkpoints.
#pragma once

#include <filesystem>
#include <vector>

#include "raven/weights/safetensors.h"

namespace raven::train {

/// Mean of the files' tensors (docs/method.md): floating ones are summed in float32 in the order
/// given, divided and given their type again, BatchNorm's running statistics among them; integers
/// are summed and divided with rounding towards minus infinity. Metadata and order are those of the
/// first file. Throws CheckpointError naming the file and tensor when names, shapes or types
/// differ, ConfigError when there is nothing to average. At most two files are in memory at once.
weights::TensorFile average_files(const std::vector<std::filesystem::path>& files);

/// The model of a checkpoint folder or a .safetensors file, verified as far as it can be.
weights::TensorFile read_model(const std::filesystem::path& path);

}  // namespace raven::train
