#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <functional>
#include <set>

#include "report/chart.h"
#include "report/html.h"
#include "report/sections.h"

namespace raven::report {
namespace {

struct ChartKeys {
  std::string title, meaning;
  std::function<bool(const std::string& key)> has;
  bool percent = false;
  bool over_epochs = false;
};

struct ChartGroup {
  std::string id, title, meaning;
  bool always_open = false;
  std::vector<ChartKeys> charts;
};

using Matcher = std::function<bool(const std::string&)>;

Matcher starting_with(std::vector<std::string> prefixes) {
  return [prefixes = std::move(prefixes)](const std::string& key) {
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [&](const auto& prefix) { return key.rfind(prefix, 0) == 0; });
  };
}

Matcher one_of(std::set<std::string> keys) {
  return [keys = std::move(keys)](const std::string& key) { return keys.count(key) > 0; };
}

Matcher holding(std::vector<std::string> parts) {
  return [parts = std::move(parts)](const std::string& key) {
    return std::any_of(parts.begin(), parts.end(),
                       [&](const auto& part) { return key.find(part) != key.npos; });
  };
}

/// In the order of the page; a key belongs to the first chart that has it.
const std::vector<ChartGroup>& chart_groups() {
  static const std::vector<ChartGroup> groups = {
      {.id = "learning",
       .title = "Learning",
       .meaning = "",
       .always_open = true,
       .charts = {{"error rates on held-out clips", "lower is better",
                   holding({"wer", "cer", "_ser"}), true, true},
                  {"loss", "mean since the last report; valid: on held-out clips",
                   one_of({"loss", "valid_loss"})},
                  {"parts of the loss", "minus the mean cosine; student first, teacher second",
                   one_of({"v2v", "v2a", "a2a", "a2v"})},
                  {"CTC and attention loss", "",
                   starting_with({"ctc", "att", "loss_ctc", "loss_att", "decoder"})},
                  {"gain", "what predictions score beyond a constant one; 0: nothing learnt",
                   starting_with({"gain_"})},
                  {"gain on held-out clips", "the same without training on them",
                   starting_with({"valid_gain_"})},
                  {"accuracy", "share of the decoder's units that are right", holding({"accuracy"}),
                   true},
                  {"parts of the held-out loss", "the same masks at every look",
                   starting_with({"valid_"})},
                  {"probe", "R\xC2\xB2 of log-mel energies, linear in frozen features",
                   starting_with({"probe_"})}}},
      {.id = "collapse",
       .title = "Collapse measures",
       .meaning = "spread and rank near their start: healthy",
       .always_open = false,
       .charts = {{"spread of targets", "distance from their mean; 0: all alike",
                   starting_with({"target_spread_"})},
                  {"spread of predictions", "", starting_with({"prediction_spread_"})},
                  {"effective rank of targets", "directions that carry them",
                   starting_with({"target_rank_"})},
                  {"effective rank of predictions", "", starting_with({"prediction_rank_"})}}},
      {.id = "optimisation",
       .title = "Learning rates, momentum, gradients",
       .meaning = "",
       .always_open = false,
       .charts = {{"learning rate", "", starting_with({"lr"})},
                  {"momentum", "share of its weights that a teacher keeps", one_of({"momentum"})},
                  {"gradient norm", "before clipping", starting_with({"grad_norm"})}}},
      {.id = "speed",
       .title = "Speed and memory",
       .meaning = "",
       .always_open = false,
       .charts = {{"video frames per second", "25 are a second of speech",
                   one_of({"frames_per_s"})},
                  {"waiting for data", "share of the time", one_of({"wait_share"}), true},
                  {"seconds a step", "", one_of({"step_s"})},
                  {"memory in bytes", "of the process, and of tensors on the GPU",
                   holding({"_bytes"})},
                  {"skipped utterances", "by reason", holding({"skipped"})}}},
      {.id = "other",
       .title = "Other numbers",
       .meaning = "",
       .always_open = false,
       .charts = {{"other", "", [](const std::string&) { return true; }}}}};
  return groups;
}

/// "prediction_rank_v2a" -> "v2a": the chart's title says the rest.
std::string short_name(const std::string& key) {
  static const std::vector<std::string> prefixes = {"valid_gain_",
                                                    "gain_",
                                                    "probe_r2_",
                                                    "target_spread_",
                                                    "prediction_spread_",
                                                    "target_rank_",
                                                    "prediction_rank_",
                                                    "grad_norm_",
                                                    "lr_"};
  for (const auto& prefix : prefixes) {
    if (key.rfind(prefix, 0) == 0 && key.size() > prefix.size()) return key.substr(prefix.size());
  }
  return key;
}

struct Epochs {
  std::string label = "step";
  double scale = 1;
};

/// Epochs along the axis where all runs have the same number of steps in one.
Epochs epochs_of(const Runs& runs) {
  std::set<long> steps;
  double scale = 1;
  for (const auto& run : runs) {
    const auto* epoch = run.record.metrics.find("epoch");
    if (epoch == nullptr || epoch->last().value <= 0) return {};
    scale = epoch->last().value / epoch->last().step;
    steps.insert(std::lround(1 / scale));
  }
  if (steps.size() != 1 || !(scale > 0)) return {};
  return {.label = "epoch", .scale = scale};
}

/// All keys of all runs, each with its chart; "epoch" is an axis.
std::set<std::string> keys_of(const Runs& runs) {
  std::set<std::string> keys;
  for (const auto& run : runs) {
    for (const auto& [key, track] : run.record.metrics.tracks) {
      if (key == "epoch" || track.empty()) continue;
      if (key.ends_with("skipped") && track.highest().value == 0) continue;
      keys.insert(key);
    }
  }
  return keys;
}

/// One run: its keys share a chart. Several: each key has its own, and a run's colour is the same
/// in all of them.
std::string charts_of(const Runs& runs, const ChartKeys& chart_keys,
                      const std::vector<std::string>& keys, const Epochs& epochs) {
  ChartOptions options{
      .title = chart_keys.title, .meaning = chart_keys.meaning, .percent = chart_keys.percent};
  if (chart_keys.over_epochs) {
    options.x_label = epochs.label;
    options.x_scale = epochs.scale;
  }
  std::string out;
  if (runs.size() == 1) {
    std::vector<ChartSeries> series;
    for (const auto& key : keys) {
      series.push_back({.name = short_name(key),
                        .track = runs[0].record.metrics.find(key),
                        .colour = series.size()});
    }
    return chart(options, series);
  }
  for (const auto& key : keys) {
    std::vector<ChartSeries> series;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      series.push_back(
          {.name = runs[i].label, .track = runs[i].record.metrics.find(key), .colour = i});
    }
    options.title = key;
    out += chart(options, series);
  }
  return out;
}

std::string group_markup(const ChartGroup& group, const std::string& charts, bool open) {
  if (group.always_open) {
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
  auto left = keys_of(runs);
  const auto epochs = epochs_of(runs);
  const bool pretraining = std::any_of(runs.begin(), runs.end(), [](const auto& run) {
    return run.assessment.stage == Stage::kPretraining;
  });
  std::string out = "<section id=\"curves\"><h2>Curves</h2>\n";
  if (left.empty()) return out + "<p>No numbers were reported.</p></section>\n";
  const bool thinned = std::any_of(runs.begin(), runs.end(), [](const auto& run) {
    return std::any_of(run.record.metrics.tracks.begin(), run.record.metrics.tracks.end(),
                       [](const auto& item) { return item.second.thinned(); });
  });
  if (thinned) {
    out +=
        "<p class=\"soft\">There are more reports than a picture can show: lines are means of "
        "neighbouring "
        "ones, bands reach from the lowest to the highest. The tables hold exact values.</p>\n";
  }
  for (const auto& group : chart_groups()) {
    std::string charts;
    for (const auto& chart_keys : group.charts) {
      std::vector<std::string> keys;
      for (const auto& key : left) {
        if (chart_keys.has(key)) keys.push_back(key);
      }
      for (const auto& key : keys) left.erase(key);
      if (!keys.empty()) charts += charts_of(runs, chart_keys, keys, epochs);
    }
    if (!charts.empty()) out += group_markup(group, charts, pretraining && group.id == "collapse");
  }
  return out + "</section>\n";
}

}  // namespace raven::report
