// BatchNorm over the batches that several ranks compute in a step.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "raven/config/run_config.h"
#include "raven/distributed/communicator.h"
#include "raven/nn/batch_norm.h"

namespace raven::train {

/// With BatchStatistics::kAll the batches that the ranks compute at the same time, one each, have
/// the statistics of all of them; a rank without one does not count. With kOwn each has its own;
/// running statistics are then those of one process that saw all batches of the step one after
/// another. Nothing to do for one rank.
class StepStatistics {
 public:
  /// Module and ranks must outlive it.
  StepStatistics(torch::nn::Module& module, config::BatchStatistics statistics,
                 distributed::Communicator& ranks);
  ~StepStatistics();
  StepStatistics(const StepStatistics&) = delete;
  StepStatistics& operator=(const StepStatistics&) = delete;

  /// A step of so many batches, of all ranks. All ranks call begin() and end().
  void begin(std::int64_t batches);
  /// Around this rank's batch of that number in the step.
  void begin_batch(std::int64_t batch);
  void end_batch(std::int64_t batch);
  void end();

 private:
  class RanksOfRound;
  /// Of one BatchNorm; float64.
  struct Running {
    nn::BatchNormImpl* norm = nullptr;
    torch::Tensor before, shares;  // (2, C): mean and variance at the start, what batches add
    std::int64_t seen_before = 0, seen = 0;
    double kept = 1;  // what a batch leaves of the statistics before it
  };
  [[nodiscard]] bool counts_for_others() const;

  torch::nn::Module& module_;
  distributed::Communicator& ranks_;
  std::shared_ptr<RanksOfRound> of_round_;
  std::int64_t batches_ = 0;
  std::vector<Running> running_;
};

}  // namespace raven::train
