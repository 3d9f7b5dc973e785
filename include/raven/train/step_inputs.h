// What the host tells a step, as scalars on the step's device: kernels read them when they run, so
// that a step can be recorded once (as a CUDA graph) and played with other numbers.
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
  std::vector<Counts> counts = {};              // of this rank's batches: what each divides by
  Numbers settings = {};                        // the task's own: "momentum"
  std::vector<std::uint64_t> seeds = {};        // of this rank's batches
};

/// On the device, 0-dimensional. While steps have the same number of batches, everything stays
/// where it is; set() changes what it holds.
class StepInputs {
 public:
  explicit StepInputs(const torch::Device& device, const StepNumbers& numbers = {});

  /// Copies them to the device; it waits for it only where a step has another number of batches
  /// than the one before. Every step has the same names and as many rates.
  void set(const StepNumbers& numbers);
  /// Which of the step's batches is computed from here on.
  void begin_batch(std::size_t batch) { batch_ = batch; }

  /// As AdamW takes them: float64 on a CPU, float32 on a GPU.
  [[nodiscard]] const std::vector<torch::Tensor>& rates(std::size_t parameter_set) const;
  /// What the batch divides a loss' sum by: float32, 1 at least.
  [[nodiscard]] const torch::Tensor& count(const std::string& loss) const;
  /// float64: a momentum is near 1.
  [[nodiscard]] const torch::Tensor& setting(const std::string& name) const;
  /// Of the batch: int64, the bits of its seed.
  [[nodiscard]] torch::Tensor seed() const { return seeds_[static_cast<std::int64_t>(batch_)]; }

 private:
  void make_scalars(const StepNumbers& numbers);
  void check_names(const StepNumbers& numbers) const;

  torch::Device device_;
  torch::Tensor float64_, float32_;  // (numbers), the same in both
  torch::Tensor seeds_;              // (batches)
  std::vector<std::vector<torch::Tensor>> rates_;
  std::vector<std::map<std::string, torch::Tensor>> counts_;  // of each batch
  std::map<std::string, torch::Tensor> settings_;
  std::size_t batch_ = 0;
};

}  // namespace raven::train
