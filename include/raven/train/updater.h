// One update: gradients of all batches of a step, clipping, the optimisers, the task's own part.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <vector>

#include "raven/config/run_config.h"
#include "raven/data/sample.h"
#include "raven/train/optimizer.h"
#include "raven/train/schedule.h"
#include "raven/train/task.h"

namespace raven::train {

/// What a step's gradients came from; tensors are 0-dimensional, on the device.
struct StepValues {
  NamedTensors values;               // losses by name, "loss", "grad_norm_<set>", "grad_norm"
  std::vector<torch::Tensor> norms;  // of the task's parameter sets, before clipping
  Numbers measures;                  // only when asked for
  torch::Tensor bad;                 // float32, 1 when any value is NaN or Inf
};

class Updater {
 public:
  /// The task must outlive it; one AdamW for each of its parameter sets, one rate for each group.
  Updater(Task& task, const config::OptimizerConfig& options, const RunLength& length,
          const torch::Device& device);

  /// Gradients of a step's batches (on the CPU), all targets weighted the same. Random numbers come
  /// from torch's generator as it stands.
  StepValues gradients(const std::vector<data::Batch>& batches, bool measure);

  /// Clips and applies them with the rates of `step` (from 0). Changes no weight when they are bad.
  void apply(const StepValues& gradients, std::int64_t step);

  /// Rate of each group at `step`: "lr_<group>", and "lr" for the first.
  [[nodiscard]] Numbers rates_at(std::int64_t step) const;

  /// State of all optimisers, for checkpoints; the tensors themselves.
  [[nodiscard]] NamedTensors state() const;

 private:
  Task& task_;
  torch::Device device_;
  std::vector<AdamW> optimizers_;
  struct GroupRate {
    std::string group;
    LearningRate rate;
  };
  std::vector<std::vector<GroupRate>> rates_;  // of each optimiser's groups
};

}  // namespace raven::train
