// Notices a step with NaN or Inf without making the host wait for the device in that step.
#pragma once

#include <c10/core/Event.h>
#include <torch/torch.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "raven/train/batch.h"
#include "raven/train/step_inputs.h"

namespace raven::train {

/// The optimisers skip a bad step on the device by themselves (AdamW::step); this tells the host.
class FiniteWatch {
 public:
  /// A step and what it saw.
  struct Step {
    std::int64_t number = 0;
    std::vector<Batch> batches;
    StepNumbers numbers = {};  // that it was told
  };

  /// 1 when any of `values` (0-dimensional) is not finite, else 0: a float32 scalar on the device.
  static torch::Tensor bad_flag(const std::vector<torch::Tensor>& values);

  /// Starts to copy a step's flag to the host; keeps the batches until check().
  void record(Step step, const torch::Tensor& bad);

  /// The recorded step if it was bad. Waits for its flag: free one step later, and on a CPU at
  /// once.
  std::optional<Step> check();

 private:
  std::optional<Step> step_;
  torch::Tensor flag_;  // on the host
  std::optional<c10::Event> copied_;
};

}  // namespace raven::train
