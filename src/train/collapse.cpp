#include "raven/train/collapse.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <optional>

namespace raven::train {
namespace {

constexpr double kLeastShareOfSpread = 0.5;
constexpr double kLeastGain = 0.02;

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

}  // namespace

std::vector<std::string> collapse_warnings(const Numbers& first, const Numbers& now) {
  std::vector<std::string> warnings;
  for (const std::string modality : {"video", "audio"}) {
    const auto start = number(first, "target_spread_" + modality);
    const auto spread = number(now, "target_spread_" + modality);
    const auto gain = best_gain(now, modality.front());
    if (!start || !spread || !gain) continue;
    if (*spread < kLeastShareOfSpread * *start && *gain < kLeastGain) {
      warnings.push_back(fmt::format(
          "the {} targets are collapsing: their spread is {:.3f}, it began at {:.3f}, and "
          "predictions of "
          "them are only {:.3f} better than one constant direction. A loss near -1 means nothing "
          "then. "
          "Look at teacher.momentum (too low lets the teacher follow at once), optimizer.lr and "
          "optimizer.warmup_epochs; docs/monitoring.md explains the measures",
          modality, *spread, *start, *gain));
    }
  }
  return warnings;
}

}  // namespace raven::train
