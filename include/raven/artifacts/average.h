// The mean of several checkpoints.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "raven/artifacts/checkpoint.h"
#include "raven/weights/safetensors.h"

namespace raven::artifacts {

struct Mean {
  weights::TensorFile file;
  std::filesystem::path first;            // what was read as the first one
  std::optional<TrainState> first_state;  // where it is a checkpoint
  std::optional<std::int64_t> last_step;  // of the last one, where it is a checkpoint
};

/// Mean of the files' tensors (docs/method.md): floating ones are summed in float32 in the order
/// given, divided and given their type again, BatchNorm's running statistics among them; integers
/// are summed and divided with rounding towards minus infinity. Metadata and order are those of the
/// first file. Throws CheckpointError naming the file and tensor when names, shapes or types
/// differ, ConfigError when there is nothing to average. At most two files are in memory at once.
/// Each path is a checkpoint, a run (its newest one) or a .safetensors file, and is opened once.
Mean average(const std::vector<std::filesystem::path>& files);

}  // namespace raven::artifacts
