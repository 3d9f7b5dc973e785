#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "report/chart.h"
#include "report/metric_charts.h"
#include "report/sections.h"

namespace raven::report {
namespace {

struct Group {
  PanelGroup group;
  const char *id, *title, *meaning;
};

/// In the order of the page; the first is always open.
constexpr Group kGroups[] = {
    {PanelGroup::kLearning, "learning", "Learning", ""},
    {PanelGroup::kCollapse, "collapse", "Collapse measures",
     "spread and rank near their start: healthy"},
    {PanelGroup::kOptimisation, "optimisation", "Learning rates, momentum, gradients", ""},
    {PanelGroup::kSpeed, "speed", "Speed and memory", ""},
    {PanelGroup::kOther, "other", "Other numbers", ""}};

std::string group_markup(const Group& group, const std::string& charts, bool open) {
  if (group.group == PanelGroup::kLearning) {
    return fmt::format("<h3 id=\"{}\">{}</h3>\n<div class=\"charts\">{}</div>\n", group.id,
                       group.title, charts);
  }
  return fmt::format(
      "<details class=\"block\" id=\"{}\"{}><summary>{} <small>{}</small></summary><div "
      "class=\"charts\">{}</div>"
      "</details>\n",
      group.id, open ? " open" : "", group.title, group.meaning, charts);
}

}  // namespace

std::string curves_section(const Runs& runs) {
  std::vector<ChartedRun> charted;
  for (const auto& run : runs) {
    charted.push_back({.label = run.label,
                       .metrics = &run.record.metrics,
                       .stage = run.assessment.stage,
                       .warmup_steps = run.record.number("warmup_steps").value_or(-1),
                       .frames_per_step = run.record.frames_per_step(),
                       .colour = run.colour,
                       .group = run.group});
  }
  const auto charts = metric_charts(charted);
  const bool pretraining = std::any_of(runs.begin(), runs.end(), [](const auto& run) {
    return run.assessment.stage == Stage::kPretraining;
  });
  std::string out = "<section id=\"curves\"><h2>Curves</h2>\n";
  if (charts.empty()) return out + "<p>No numbers were reported.</p></section>\n";
  const bool thinned = std::any_of(runs.begin(), runs.end(), [](const auto& run) {
    return std::any_of(run.record.metrics.tracks.begin(), run.record.metrics.tracks.end(),
                       [](const auto& item) { return item.second.thinned(); });
  });
  if (thinned) {
    out +=
        "<p class=\"soft\">There are more reports than a picture can show: lines are means of "
        "neighbouring ones, bands reach from the lowest to the highest. The tables hold exact "
        "values.</p>\n";
  }
  if (std::any_of(runs.begin(), runs.end(), [](const auto& run) { return !run.group.empty(); })) {
    out +=
        "<p class=\"soft\">Runs that differ in their seed alone share a line, their mean; bands "
        "reach from the lowest to the highest of them.</p>\n";
  }
  for (const auto& group : kGroups) {
    std::string figures;
    for (const auto& drawn : charts) {
      if (drawn.panel->group == group.group)
        figures += chart(drawn.chart.options, drawn.chart.series);
    }
    if (figures.empty()) continue;
    out += group_markup(group, figures, pretraining && group.group == PanelGroup::kCollapse);
  }
  return out + "</section>\n";
}

}  // namespace raven::report
