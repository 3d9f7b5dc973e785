// What the host tells a step, as scalars on the step's device: a step that was recorded once (a
// CUDA graph) reads them anew each time it is played.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "raven/train/metrics.h"

namespace raven::train {

/// How many targets each loss of a step averages over, by the loss' name.
using Counts = std::map<std::string, double>;

/// A step as the host knows it.
struct StepNumbers {
  std::vector<std::vector<double>> rates = {};  // of each parameter set's groups
  Counts counts = {};                           // over all batches of all ranks
  Numbers settings = {};                        // the task's own: "momentum"
  std::vector<std::uint64_t> seeds = {};        // of this rank's batches
};

/// Tensors are 0-dimensional and stay where they are from the first step on; set() changes what
/// they hold.
class StepInputs {
 public:
  explicit StepInputs(const torch::Device& device, const StepNumbers& numbers = {});

  /// Copies them to the device, without waiting for it. Every step has the same names and as many
  /// rates; it may have other numbers of batches.
  void set(const StepNumbers& numbers);

  /// As AdamW takes them: float64 on a CPU, float32 on a GPU.
  [[nodiscard]] const std::vector<torch::Tensor>& rates(std::size_t parameter_set) const;
  /// float32, 1 at least.
  [[nodiscard]] const torch::Tensor& count(const std::string& loss) const;
  /// float64.
  [[nodiscard]] const torch::Tensor& setting(const std::string& name) const;
  /// int64, the bits of the batch's seed.
  [[nodiscard]] torch::Tensor seed(std::int64_t batch) const { return seeds_[batch]; }

 private:
  void name(const StepNumbers& numbers);

  torch::Device device_;
  torch::Tensor exact_, rough_, seeds_;  // (numbers) float64, the same in float32; (batches)
  std::vector<std::vector<torch::Tensor>> rates_;
  std::map<std::string, torch::Tensor> counts_, settings_;
};

}  // namespace raven::train
