// One update: gradients of all batches of a step, clipping, the optimisers, the task's own part.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "raven/config/run_config.h"
#include "raven/distributed/communicator.h"
#include "raven/distributed/gradient_sums.h"
#include "raven/train/optimizer.h"
#include "raven/train/schedule.h"
#include "raven/train/step_inputs.h"
#include "raven/train/step_statistics.h"
#include "raven/train/task.h"

namespace raven::train {

/// What a step's gradients came from; tensors are 0-dimensional, on the device.
struct StepValues {
  NamedTensors values;               // losses by name, "loss", "grad_norm_<set>", "grad_norm"
  std::vector<torch::Tensor> norms;  // of the task's parameter sets, before clipping
  Numbers measures;                  // only when asked for; of this rank's batches
  torch::Tensor bad;                 // float32, 1 when any value is NaN or Inf
  StepNumbers numbers;               // that the step was told
};

/// Seed of a batch's random numbers; batches of a step are counted over all ranks.
using SeedOfBatch = std::function<std::uint64_t(std::int64_t batch)>;

struct StepOptions {
  std::int64_t step = 0;  // from 0; rates and the task's settings follow it
  bool measure = false;   // look at the features as well, which waits for the device
  /// LibTorch's generator is seeded before each batch; without, it is used as it stands.
  SeedOfBatch seed = {};
};

/// What ranks share with each other.
struct AcrossRanks {
  config::BatchStatistics statistics = config::BatchStatistics::kAll;
  bool shard_optimizer = false;  // see StateShard
};

class Updater {
 public:
  /// Task and ranks must outlive it; one AdamW for each of the task's parameter sets, one rate for
  /// each group.
  Updater(Task& task, const config::OptimizerConfig& options, const RunLength& length,
          const torch::Device& device, distributed::Communicator& ranks = distributed::one_rank(),
          const AcrossRanks& across = {});

  /// Gradients of a step's batches (on the CPU), of all ranks, averaged as Task::loss_mean(). The
  /// numbers are those of one rank with the batches of all, but for BatchStatistics::kAll, with
  /// kOwn to the bit (distributed::GradientSums): batch i of rank r counts as batch i * ranks + r.
  /// A rank may have one batch less than those before it, or none; rank 0 has one. apply() comes
  /// next.
  StepValues gradients(const std::vector<Batch>& batches, const StepOptions& options);

  /// The same of clips.
  StepValues gradients(const std::vector<data::Batch>& batches, const StepOptions& options);

  /// Clips what gradients() gave last and applies it with the rates of its step. Changes no weight
  /// when it is bad.
  void apply(const StepValues& gradients);

  /// Rate of each group at `step`: "lr_<group>", and "lr" for the first.
  [[nodiscard]] Numbers rates_at(std::int64_t step) const;

  /// State of all optimisers, for checkpoints; the tensors themselves, without numbers (meta) where
  /// another rank has them.
  [[nodiscard]] NamedTensors state() const;

  /// The part of state() that every rank has.
  [[nodiscard]] NamedTensors common_state() const;

  /// Other ranks have a part of the state.
  [[nodiscard]] bool is_sharded() const { return across_.shard_optimizer && ranks_.size() > 1; }

  /// Every rank calls it where the state is sharded: `whole`, rank 0's copy of state(), gets what
  /// other ranks have of it. The other ranks give none.
  void fetch_state(const NamedTensors& whole) const;

 private:
  [[nodiscard]] StepNumbers numbers_of(const std::vector<Batch>& batches,
                                       const StepOptions& options) const;
  [[nodiscard]] std::vector<Counts> counts_of(const std::vector<Batch>& batches) const;
  [[nodiscard]] std::int64_t add_up_batches(std::int64_t batches) const;
  void add_up(Counts& counts) const;
  void add_up(NamedTensors& values, std::int64_t all_batches);
  void spread_weights();

  Task& task_;
  torch::Device device_;
  distributed::Communicator& ranks_;
  AcrossRanks across_;
  std::vector<AdamW> optimizers_;
  struct GroupRate {
    std::string group;
    LearningRate rate;
  };
  std::vector<std::vector<GroupRate>> rates_;  // of each optimiser's groups
  StepInputs inputs_;
  StepStatistics statistics_;
  bool exact_ = false;                             // sums are the same for any number of ranks
  std::optional<distributed::GradientSums> sums_;  // of several ranks, or exact ones
  std::vector<std::string> value_names_;           // for ranks without a batch
};

}  // namespace raven::train
