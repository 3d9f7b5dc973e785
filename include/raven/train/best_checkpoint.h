// Which evaluation on held-out data was the best so far, and for how long none was better.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "raven/artifacts/checkpoint.h"
#include "raven/config/run_config.h"
#include "raven/train/metrics.h"

namespace raven::train {

struct BestSettings {
  std::vector<std::string> by = {};  // numbers of which the lowest counts; empty: none is kept
  std::optional<std::int64_t> patience = {};  // evaluations; empty: the run makes all its steps
};

/// What a stage's validation.keep_best and validation.patience ask for. `error`: its error rates.
BestSettings best_settings(config::KeptBest keep_best, const std::optional<std::int64_t>& patience,
                           const std::vector<std::string>& error = {});

/// Everything in it lies in the checkpoints of the run (TrainState::best), and follows from the
/// numbers of its evaluations alone: a run that goes on judges as one that was never stopped.
class BestCheckpoint {
 public:
  explicit BestCheckpoint(BestSettings settings) : settings_(std::move(settings)) {}

  /// Of the checkpoint that the run goes on from.
  void restore(const std::optional<artifacts::BestSoFar>& best);
  /// An evaluation at `step`; one that is as good as the best is no better, and one that gives no
  /// number, or before the first step, is not judged.
  void judge(std::int64_t step, const Numbers& numbers);

  /// The best evaluation is that at `step`.
  [[nodiscard]] bool is_at(std::int64_t step) const { return best_ && best_->step == step; }
  /// The run has no more patience.
  [[nodiscard]] bool is_over() const;
  [[nodiscard]] const std::optional<artifacts::BestSoFar>& best() const { return best_; }

 private:
  BestSettings settings_;
  std::optional<artifacts::BestSoFar> best_;
};

}  // namespace raven::train
