#include "raven/report/final_numbers.h"

#include <algorithm>

#include "report/links.h"
#include "report/run_record.h"

namespace raven::report {

FinalNumbers final_numbers(const std::filesystem::path& run) {
  const auto file = run / "metrics.jsonl";
  FinalNumbers numbers;
  if (!std::filesystem::exists(file)) return numbers;
  refuse_link_out(file);
  const auto metrics = read_metrics(file);
  numbers.step = metrics.last_step;
  for (const auto& [name, track] : metrics.tracks) {
    if (!track.empty()) numbers.values[name] = track.last().value;
  }
  return numbers;
}

std::vector<std::string> learning_numbers(const std::set<std::string>& names) {
  std::vector<std::string> learning;
  for (const auto& [panel, filled] : fill_panels(names)) {
    if (panel->group != PanelGroup::kLearning && panel->group != PanelGroup::kCollapse) continue;
    learning.insert(learning.end(), filled.begin(), filled.end());
  }
  return learning;
}

std::vector<std::string> main_numbers(const std::set<std::string>& names) {
  std::vector<std::string> first;
  for (const auto& name : learning_numbers(names)) {
    const auto known = find_metric(name);
    if (!known || known->metric->moment != Moment::kEvaluation) continue;
    const auto panel = known->metric->panel;
    if (panel == PanelId::kErrorRate || panel == PanelId::kLoss || panel == PanelId::kHeldOutGain ||
        panel == PanelId::kProbe)
      first.push_back(name);
  }
  if (first.empty() && names.count(metric("loss")) > 0) first.push_back(metric("loss"));
  return first;
}

}  // namespace raven::report
