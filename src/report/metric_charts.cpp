#include "report/metric_charts.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace raven::report {
namespace {

/// What stands along the axis of a chart over epochs, where there are any; and frames.
struct Axes {
  std::string label = "step";
  double scale = 1;            // epochs of a step
  double frames_per_step = 0;  // of all runs alike; 0: not known, or they differ
  bool along_frames = false;   // they differ
};

/// Epochs along the axis where all runs have the same number of steps in one.
void use_epochs(const std::vector<ChartedRun>& runs, Axes& axes) {
  std::set<long> steps;
  double scale = 1;
  for (const auto& run : runs) {
    const auto* epoch = run.metrics->find("epoch");
    if (epoch == nullptr || epoch->last().value <= 0) return;
    scale = epoch->last().value / epoch->last().step;
    steps.insert(std::lround(1 / scale));
  }
  if (steps.size() != 1 || !(scale > 0)) return;
  axes.label = "epoch";
  axes.scale = scale;
}

Axes axes_of(const std::vector<ChartedRun>& runs) {
  constexpr double kAlike = 0.01;
  Axes axes;
  double least = INFINITY, most = 0;
  for (const auto& run : runs) {
    least = std::min(least, run.frames_per_step);
    most = std::max(most, run.frames_per_step);
  }
  if (least > 0 && !runs.empty()) {
    axes.along_frames = most > (1 + kAlike) * least;
    if (!axes.along_frames) axes.frames_per_step = most;
  }
  if (!axes.along_frames) use_epochs(runs, axes);
  return axes;
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

ChartOptions options_of(const Panel& panel, const Axes& axes) {
  ChartOptions options{.title = panel.title,
                       .meaning = panel.meaning,
                       .percent = panel.unit() == Unit::kShare,
                       .cut_start = true};
  if (axes.along_frames) {
    options.x_label = "frames";
    return options;
  }
  options.frames_at_1 = axes.frames_per_step;
  if (panel.over_epochs) {
    options.x_label = axes.label;
    options.x_scale = axes.scale;
  }
  return options;
}

/// What is learnt in a warm-up would press what comes after it flat; rates and speeds have none.
double settled_after(const Panel& panel, const ChartedRun& run) {
  const bool learnt = panel.group == PanelGroup::kLearning || panel.group == PanelGroup::kCollapse;
  return learnt ? run.warmup_steps : -1;
}

Chart of_one_run(const ChartedRun& run, const FilledPanel& filled, const Axes& axes) {
  Chart chart{.options = options_of(*filled.panel, axes), .series = {}};
  for (const auto& name : filled.names) {
    chart.series.push_back({.name = label_of(name),
                            .track = run.metrics->track(name),
                            .colour = chart.series.size(),
                            .settled_after = settled_after(*filled.panel, run)});
  }
  return chart;
}

/// A line for each run that has the number, one for all of a group.
void add_lines(MetricChart& drawn, const std::vector<const ChartedRun*>& runs,
               const std::string& name, const Axes& axes) {
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const auto& run = *runs[i];
    const auto is_of_group = [&](const ChartedRun* other) {
      return other == &run || (!run.group.empty() && other->group == run.group);
    };
    if (std::any_of(runs.begin(), runs.begin() + static_cast<std::ptrdiff_t>(i), is_of_group))
      continue;
    std::vector<const Track*> tracks;
    for (const auto* other : runs) {
      const auto* track = is_of_group(other) ? other->metrics->track(name) : nullptr;
      if (track != nullptr) tracks.push_back(track);
    }
    ChartSeries series{.name = run.group.empty() ? run.label : run.group,
                       .track = tracks.empty() ? nullptr : tracks.front(),
                       .colour = run.colour,
                       .settled_after = settled_after(*drawn.panel, run),
                       .x_scale = axes.along_frames ? run.frames_per_step : 1};
    if (tracks.size() > 1) {
      drawn.means.push_back(std::make_shared<const Track>(Track::mean_of(tracks)));
      series.name += fmt::format(" ({} runs)", tracks.size());
      series.track = drawn.means.back().get();
      series.band = true;
    }
    drawn.chart.series.push_back(std::move(series));
  }
}

/// One number of several runs: one chart, or one for each stage.
std::vector<MetricChart> of_several_runs(const std::vector<ChartedRun>& runs,
                                         const FilledPanel& filled, const std::string& name,
                                         const Axes& axes) {
  std::vector<Stage> stages;  // that have the number
  for (const auto& run : runs) {
    if (run.metrics->track(name) == nullptr) continue;
    if (std::find(stages.begin(), stages.end(), run.stage) == stages.end()) {
      stages.push_back(run.stage);
    }
  }
  const bool apart = filled.panel->by_stage && stages.size() > 1;
  std::vector<MetricChart> charts;
  for (const auto stage : apart ? stages : std::vector{Stage::kUnknown}) {
    MetricChart drawn{.panel = filled.panel,
                      .chart = {.options = options_of(*filled.panel, axes), .series = {}}};
    auto& title = drawn.chart.options.title;
    title =
        filled.panel->id == PanelId::kOther ? name : fmt::format("{}: {}", title, label_of(name));
    if (apart) title += fmt::format(" ({})", stage_text(stage));
    std::vector<const ChartedRun*> of_stage;
    for (const auto& run : runs) {
      if (!apart || run.stage == stage) of_stage.push_back(&run);
    }
    add_lines(drawn, of_stage, name, axes);
    charts.push_back(std::move(drawn));
  }
  return charts;
}

}  // namespace

std::vector<MetricChart> metric_charts(const std::vector<ChartedRun>& runs) {
  const auto axes = axes_of(runs);
  std::vector<MetricChart> charts;
  for (const auto& filled : fill_panels(names_of(runs))) {
    if (runs.size() == 1) {
      charts.push_back({.panel = filled.panel, .chart = of_one_run(runs[0], filled, axes)});
      continue;
    }
    for (const auto& name : filled.names) {
      for (auto& chart : of_several_runs(runs, filled, name, axes)) {
        charts.push_back(std::move(chart));
      }
    }
  }
  return charts;
}

}  // namespace raven::report
