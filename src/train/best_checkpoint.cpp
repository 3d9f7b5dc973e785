#include "raven/train/best_checkpoint.h"

#include <algorithm>
#include <cmath>

#include "raven/report/metric_names.h"

namespace raven::train {

BestSettings best_settings(config::KeptBest keep_best, const std::optional<std::int64_t>& patience,
                           const std::vector<std::string>& error) {
  switch (keep_best) {
    case config::KeptBest::kNone:
      break;
    case config::KeptBest::kLoss:
      return {.by = {report::metric("valid_loss")}, .patience = patience};
    case config::KeptBest::kError:
      return {.by = error, .patience = patience};
  }
  return {};
}

void BestCheckpoint::restore(const std::optional<artifacts::BestSoFar>& best) {
  if (!settings_.by.empty()) best_ = best;
}

void BestCheckpoint::judge(std::int64_t step, const Numbers& numbers) {
  if (step == 0) return;
  std::optional<double> value;
  for (const auto& name : settings_.by) {
    const auto found = numbers.find(name);
    if (found == numbers.end() || !std::isfinite(found->second)) continue;
    value = std::min(value.value_or(found->second), found->second);
  }
  if (!value) return;
  if (!best_ || *value < best_->value)
    best_ = {.step = step, .value = *value, .evaluations_since = 0};
  else
    ++best_->evaluations_since;
}

bool BestCheckpoint::is_over() const {
  return settings_.patience && best_ && best_->evaluations_since >= *settings_.patience;
}

}  // namespace raven::train
