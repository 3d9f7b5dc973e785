// What the host tells a step, as scalars on the step's device: kernels read them when they run, so
// that a step can be recorded once (as a CUDA graph) and played with other numbers.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "raven/nn/dropout_seed.h"
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

  /// While it lives, one batch of the step is computed, and on a GPU dropout draws from its seed.
  struct OfBatch {
    OfBatch() = default;
    explicit OfBatch(const torch::Tensor& seed) : dropout(std::in_place, seed) {}
    std::optional<nn::DropoutSeed> dropout;
  };
  /// Which of the step's batches is computed from here on: count() is that batch's, and all that is
  /// random follows from its seed, if it has one.
  [[nodiscard]] OfBatch begin_batch(std::size_t batch);

  /// As AdamW takes them: float64 on a CPU, float32 on a GPU.
  [[nodiscard]] const std::vector<torch::Tensor>& rates(std::size_t parameter_set) const;
  /// What the batch divides a loss' sum by: float32, 1 at least.
  [[nodiscard]] const torch::Tensor& count(const std::string& loss) const;
  /// float64: a momentum is near 1.
  [[nodiscard]] const torch::Tensor& setting(const std::string& name) const;
  /// int64, the bits of a batch's seed.
  [[nodiscard]] torch::Tensor seed_of(std::size_t batch) const {
    return device_seeds_[static_cast<std::int64_t>(batch)];
  }

 private:
  void make_scalars(const StepNumbers& numbers);
  void check_names(const StepNumbers& numbers) const;

  torch::Device device_;
  torch::Tensor float64_, float32_;   // (numbers), the same in both
  std::vector<std::uint64_t> seeds_;  // of the batches; empty: not seeded
  torch::Tensor device_seeds_;        // (batches) the same
  std::vector<std::vector<torch::Tensor>> rates_;
  std::vector<std::map<std::string, torch::Tensor>> counts_;  // of each batch
  std::map<std::string, torch::Tensor> settings_;
  std::size_t batch_ = 0;
};

}  // namespace raven::train
