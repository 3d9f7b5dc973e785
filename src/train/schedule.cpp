#include "raven/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "raven/core/error.h"

namespace raven::train {
namespace {

/// 1 at the start, 0 at the end.
double half_cosine(double done) { return 0.5 * (1.0 + std::cos(std::numbers::pi * done)); }

}  // namespace

RunLength RunLength::of(const config::TrainConfig& train, const config::OptimizerConfig& optimizer,
                        std::int64_t batches_per_epoch) {
  const double steps_per_epoch =
      static_cast<double>(batches_per_epoch) / static_cast<double>(train.accumulate);
  const auto rounded = [&](double epochs) {
    return static_cast<std::int64_t>(std::llround(epochs * steps_per_epoch));
  };
  const RunLength length{
      .steps = train.steps.value_or(std::max<std::int64_t>(rounded(train.epochs), 1)),
      .warmup_steps = optimizer.warmup_steps.value_or(rounded(optimizer.warmup_epochs))};
  if (length.warmup_steps > length.steps) {
    throw ConfigError(fmt::format(
        "the warm-up takes {} steps, the whole run only {} ({:g} steps per epoch); lower "
        "optimizer.warmup_epochs or optimizer.warmup_steps, or train longer",
        length.warmup_steps, length.steps, steps_per_epoch));
  }
  return length;
}

double LearningRate::at(std::int64_t step) const {
  const auto k = static_cast<double>(std::max<std::int64_t>(step - 1, 0));
  const auto warmup = static_cast<double>(length.warmup_steps);
  if (k < warmup) return peak * k / warmup;
  const auto rest = static_cast<double>(length.steps) - warmup;
  const double done = rest > 0 ? std::min((k - warmup) / rest, 1.0) : 1.0;
  return minimum + (peak - minimum) * half_cosine(done);
}

double Momentum::at(std::int64_t step) const {
  if (schedule == config::MomentumSchedule::kConstant) return start;
  const double done = std::min(static_cast<double>(step) / static_cast<double>(steps), 1.0);
  const double counted = schedule == config::MomentumSchedule::kReleased ? 2 * done : done;
  return 1.0 - (1.0 - start) * half_cosine(counted);
}

}  // namespace raven::train
