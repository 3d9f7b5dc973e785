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

/// How many targets each loss of a step averages over, by the loss' name: what its sum is divided
/// by.
using Counts = std::map<std::string, double>;

/// On the host.
struct StepNumbers {
  std::vector<std::vector<double>> rates = {};  // [parameter set][group]
  Counts counts = {};                           // over all batches of all ranks
  Numbers settings = {};                        // the task's own: "momentum"
  std::vector<std::uint64_t> seeds = {};        // of this rank's batches
};

/// On the device, 0-dimensional. From the first step on rates, counts and settings stay where they
/// are, and so do seeds while steps have the same number of batches; set() changes what they hold.
class StepInputs {
 public:
  explicit StepInputs(const torch::Device& device, const StepNumbers& numbers = {});

  /// Copies them to the device; only the first time does it wait for it. Every step has the same
  /// names and as many rates.
  void set(const StepNumbers& numbers);

  /// As AdamW takes them: float64 on a CPU, float32 on a GPU.
  [[nodiscard]] const std::vector<torch::Tensor>& rates(std::size_t parameter_set) const;
  /// float32, 1 at least: a loss without targets is divided by 1.
  [[nodiscard]] const torch::Tensor& count(const std::string& loss) const;
  /// float64: a momentum is near 1.
  [[nodiscard]] const torch::Tensor& setting(const std::string& name) const;
  /// int64, the bits of the seed; of this rank's batches.
  [[nodiscard]] torch::Tensor seed(std::int64_t batch) const { return seeds_[batch]; }

 private:
  void make_scalars(const StepNumbers& numbers);
  void check_names(const StepNumbers& numbers) const;

  torch::Device device_;
  torch::Tensor float64_, float32_;  // (numbers), the same in both
  torch::Tensor seeds_;              // (batches)
  std::vector<std::vector<torch::Tensor>> rates_;
  std::map<std::string, torch::Tensor> counts_, settings_;
};

}  // namespace raven::train
