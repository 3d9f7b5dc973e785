#include "report/metric_charts.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace raven::report {
namespace {

struct Epochs {
  std::string label = "step";
  double scale = 1;
};

/// Epochs along the axis where all runs have the same number of steps in one.
Epochs epochs_of(const std::vector<ChartedRun>& runs) {
  std::set<long> steps;
  double scale = 1;
  for (const auto& run : runs) {
    const auto* epoch = run.metrics->find("epoch");
    if (epoch == nullptr || epoch->last().value <= 0) return {};
    scale = epoch->last().value / epoch->last().step;
    steps.insert(std::lround(1 / scale));
  }
  if (steps.size() != 1 || !(scale > 0)) return {};
  return {.label = "epoch", .scale = scale};
}

std::set<std::string> names_of(const std::vector<ChartedRun>& runs) {
  std::set<std::string> names;
  for (const auto& run : runs) {
    for (const auto& [name, track] : run.metrics->tracks) {
      if (track.empty()) continue;
      const auto known = find_metric(name);
      const bool skips = known && known->metric->panel == PanelId::kSkipped;
      if (!skips || track.highest().value > 0) names.insert(name);
    }
  }
  return names;
}

std::string label_of(const std::string& name) {
  const auto known = find_metric(name);
  return known ? known->label() : name;
}

const char* stage_text(Stage stage) {
  switch (stage) {
    case Stage::kPretraining:
      return "pre-training";
    case Stage::kFineTuning:
      return "fine-tuning";
    case Stage::kLanguageModel:
      return "language model";
    case Stage::kUnknown:
      break;
  }
  return "unknown stage";
}

ChartOptions options_of(const Panel& panel, const Epochs& epochs) {
  ChartOptions options{.title = panel.title,
                       .meaning = panel.meaning,
                       .percent = panel.unit() == Unit::kShare,
                       .cut_start = true};
  if (panel.over_epochs) {
    options.x_label = epochs.label;
    options.x_scale = epochs.scale;
  }
  return options;
}

Chart of_one_run(const ChartedRun& run, const FilledPanel& filled, const Epochs& epochs) {
  Chart chart{.options = options_of(*filled.panel, epochs), .series = {}};
  for (const auto& name : filled.names) {
    chart.series.push_back(
        {.name = label_of(name), .track = run.metrics->track(name), .colour = chart.series.size()});
  }
  return chart;
}

/// One number of several runs: one chart, or one for each stage.
std::vector<Chart> of_several_runs(const std::vector<ChartedRun>& runs, const FilledPanel& filled,
                                   const std::string& name, const Epochs& epochs) {
  std::vector<Stage> stages;  // that have the number
  for (const auto& run : runs) {
    if (run.metrics->track(name) == nullptr) continue;
    if (std::find(stages.begin(), stages.end(), run.stage) == stages.end()) {
      stages.push_back(run.stage);
    }
  }
  const bool apart = filled.panel->by_stage && stages.size() > 1;
  std::vector<Chart> charts;
  for (const auto stage : apart ? stages : std::vector{Stage::kUnknown}) {
    Chart chart{.options = options_of(*filled.panel, epochs), .series = {}};
    auto& title = chart.options.title;
    title =
        filled.panel->id == PanelId::kOther ? name : fmt::format("{}: {}", title, label_of(name));
    if (apart) title += fmt::format(" ({})", stage_text(stage));
    for (std::size_t i = 0; i < runs.size(); ++i) {
      if (apart && runs[i].stage != stage) continue;
      chart.series.push_back(
          {.name = runs[i].label, .track = runs[i].metrics->track(name), .colour = i});
    }
    charts.push_back(std::move(chart));
  }
  return charts;
}

}  // namespace

std::vector<MetricChart> metric_charts(const std::vector<ChartedRun>& runs) {
  const auto epochs = epochs_of(runs);
  std::vector<MetricChart> charts;
  for (const auto& filled : fill_panels(names_of(runs))) {
    if (runs.size() == 1) {
      charts.push_back({.panel = filled.panel, .chart = of_one_run(runs[0], filled, epochs)});
      continue;
    }
    for (const auto& name : filled.names) {
      for (auto& chart : of_several_runs(runs, filled, name, epochs)) {
        charts.push_back({.panel = filled.panel, .chart = std::move(chart)});
      }
    }
  }
  return charts;
}

}  // namespace raven::report
