// Means of a step's numbers between two reports, added up on the device so that no step waits.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <map>
#include <string>

#include "raven/train/metrics.h"
#include "raven/train/optimizer.h"

namespace raven::train {

class RunningMeans {
 public:
  /// Adds one step's values, 0-dimensional float32 tensors.
  void add(const NamedTensors& values);

  /// Mean of each value since the last call; empty when there was no step. Waits for the device.
  Numbers take();

  /// The sums so far, for a checkpoint between two reports, and back. float32 sums survive exactly.
  [[nodiscard]] Numbers save() const;
  void restore(const Numbers& saved, const torch::Device& device);

 private:
  std::map<std::string, torch::Tensor> sums_;
  std::int64_t steps_ = 0;
};

}  // namespace raven::train
