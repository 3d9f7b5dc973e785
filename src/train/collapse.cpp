#include "raven/train/collapse.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <optional>

namespace raven::train {
namespace {

constexpr double kLeastShareOfSpread = 0.5;
constexpr double kLeastGain = 0.02;
// Unit vectors with this spread have a mean cosine of 0.995 to their mean direction.
constexpr double kLeastPredictionSpread = 0.1;

std::optional<double> number(const Numbers& numbers, const std::string& name) {
  const auto found = numbers.find(name);
  return found == numbers.end() ? std::nullopt : std::optional(found->second);
}

/// The best gain among the losses whose targets come from this modality: "a2v" and "v2v" end in v.
std::optional<double> best_gain(const Numbers& numbers, char modality) {
  std::optional<double> best;
  for (const char student : {'v', 'a'}) {
    const auto gain = number(numbers, fmt::format("gain_{}2{}", student, modality));
    if (gain) best = std::max(best.value_or(*gain), *gain);
  }
  return best;
}

void add_target_warnings(const Numbers& first, const Numbers& now,
                         std::vector<CollapseWarning>& warnings) {
  for (const std::string modality : {"video", "audio"}) {
    const auto start = number(first, "target_spread_" + modality);
    const auto spread = number(now, "target_spread_" + modality);
    const auto gain = best_gain(now, modality.front());
    if (!start || !spread || !gain) continue;
    if (*spread < kLeastShareOfSpread * *start && *gain < kLeastGain) {
      warnings.push_back(
          {"targets " + modality,
           fmt::format("the {} targets are collapsing: their spread is {:.3f}, it began at {:.3f}, "
                       "and predictions of them are only {:.3f} better than one constant "
                       "direction. A loss near -1 means nothing then. Look at teacher.momentum "
                       "(too low lets the teacher follow at once), optimizer.lr and "
                       "optimizer.warmup_epochs; docs/monitoring.md explains the measures",
                       modality, *spread, *start, *gain)});
    }
  }
}

void add_prediction_warnings(const Numbers& now, std::vector<CollapseWarning>& warnings) {
  for (const std::string term : {"v2v", "v2a", "a2a", "a2v"}) {
    const auto gain = number(now, "gain_" + term);
    const auto spread = number(now, "prediction_spread_" + term);
    if (!gain || !spread || *gain >= kLeastGain || *spread >= kLeastPredictionSpread) continue;
    warnings.push_back(
        {"predictions " + term,
         fmt::format("the {} predictions are nearly the same for every frame: their spread is "
                     "{:.3f}, and they are {:.3f} better than one constant direction. That loss is "
                     "low only because its targets share a direction; nothing is learnt. Look at "
                     "optimizer.lr and optimizer.warmup_epochs, and whether sight and sound of the "
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
