#include "raven/train/collapse.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <optional>

#include "raven/config/loss_terms.h"
#include "raven/report/collapse_limits.h"
#include "raven/report/metric_names.h"

namespace raven::train {
namespace {

using report::kLeastGain;
using report::kLeastPredictionSpread;
using report::kLeastShareOfSpread;

std::optional<double> number(const Numbers& numbers, report::MetricFamily family,
                             std::string_view member) {
  const auto found = numbers.find(report::metric(family, member));
  return found == numbers.end() ? std::nullopt : std::optional(found->second);
}

/// The best gain among the losses whose targets come from this modality.
std::optional<double> best_gain(const Numbers& numbers, config::Modality target) {
  std::optional<double> best;
  for (const auto& term : config::kLossTerms) {
    if (term.target != target) continue;
    const auto gain = number(numbers, "gain_<loss>", term.name);
    if (gain) best = std::max(best.value_or(*gain), *gain);
  }
  return best;
}

void add_target_warnings(const Numbers& first, const Numbers& now,
                         std::vector<CollapseWarning>& warnings) {
  for (const auto target : config::kModalities) {
    const auto modality = config::modality_name(target);
    const auto start = number(first, "target_spread_<modality>", modality);
    const auto spread = number(now, "target_spread_<modality>", modality);
    const auto gain = best_gain(now, target);
    if (!start || !spread || !gain) continue;
    if (*spread < kLeastShareOfSpread * *start && *gain < kLeastGain) {
      warnings.push_back(
          {"targets " + modality,
           fmt::format("the {} targets are collapsing: their spread is {:.3f}, it began at {:.3f}, "
                       "and predictions of them are only {:.3f} better than one constant "
                       "direction. A loss near -1 means nothing then. Look at teacher.momentum "
                       "(too low lets the teacher follow at once), optimizer.lr and "
                       "optimizer.warmup_steps; docs/monitoring.md explains the measures",
                       modality, *spread, *start, *gain)});
    }
  }
}

void add_prediction_warnings(const Numbers& now, std::vector<CollapseWarning>& warnings) {
  for (const auto& loss : config::kLossTerms) {
    const std::string term(loss.name);
    const auto gain = number(now, "gain_<loss>", term);
    const auto spread = number(now, "prediction_spread_<loss>", term);
    if (!gain || !spread || *gain >= kLeastGain || *spread >= kLeastPredictionSpread) continue;
    warnings.push_back(
        {"predictions " + term,
         fmt::format("the {} predictions are nearly the same for every frame: their spread is "
                     "{:.3f}, and they are {:.3f} better than one constant direction. That loss is "
                     "low only because its targets share a direction; nothing is learnt. Look at "
                     "optimizer.lr and optimizer.warmup_steps, and whether sight and sound of the "
                     "clips belong together; docs/monitoring.md explains the measures",
                     term, *spread, *gain)});
  }
}

}  // namespace

std::vector<CollapseWarning> collapse_warnings(const Numbers& first, const Numbers& now,
                                               bool warmed_up) {
  std::vector<CollapseWarning> warnings;
  add_target_warnings(first, now, warnings);
  if (warmed_up) add_prediction_warnings(now, warnings);
  return warnings;
}

}  // namespace raven::train
