// How learning rate and teacher momentum move along a run (docs/method.md, section 4). Pure
// numbers.
#pragma once

#include <cstdint>
#include <optional>

#include "raven/config/pretrain_config.h"

namespace raven::train {

/// How many optimiser steps a run and its warm-up have.
struct RunLength {
  std::int64_t steps = 0;         // N
  std::int64_t warmup_steps = 0;  // W

  /// A step takes `accumulate` batches. Steps given in the configuration win over epochs. Throws
  /// ConfigError when the warm-up would be longer than the run.
  static RunLength of(const config::TrainConfig& train, const config::OptimizerConfig& optimizer,
                      std::int64_t batches_per_epoch);
};

/// Linear warm-up from 0 to `peak`, then a half cosine to `minimum`.
struct LearningRate {
  double peak = 3e-3;
  double minimum = 1e-5;
  RunLength length;

  /// Rate of optimiser step s = 0, 1, ... The published schedule lags by one step: with k = max(s -
  /// 1, 0) it is peak k / W below W, else minimum + (peak - minimum) (1 + cos(pi (k - W) / (N -
  /// W))) / 2. So the first two steps of a warm-up run with rate 0.
  [[nodiscard]] double at(std::int64_t step) const;
};

/// Share of its old weights that a teacher keeps after optimiser step i = 0, 1, ...
struct Momentum {
  double start = 0.999;
  config::MomentumSchedule schedule = config::MomentumSchedule::kCosine;
  std::int64_t steps = 1;  // N

  /// 1 - (1 - start) (1 + cos(pi i / N)) / 2, with 2 i for `released`, or `start` when constant.
  [[nodiscard]] double at(std::int64_t step) const;
};

}  // namespace raven::train
