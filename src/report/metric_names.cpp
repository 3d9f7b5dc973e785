#include "raven/report/metric_names.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <map>

#include "raven/config/loss_terms.h"
#include "raven/core/error.h"

namespace raven::report {
namespace {

/// "gain_<loss>" in its parts; all of a single number is `before`.
struct Pattern {
  std::string_view before, placeholder, after;
};

Pattern pattern_of(std::string_view name) {
  const auto open = name.find('<'), close = name.find('>');
  if (open == name.npos) return {.before = name, .placeholder = {}, .after = {}};
  return {.before = name.substr(0, open),
          .placeholder = name.substr(open + 1, close - open - 1),
          .after = name.substr(close + 1)};
}

/// Where a loss stands in its table; the table's end for what is none.
auto place_of_loss(std::string_view name) {
  return std::find_if(config::kLossTerms.begin(), config::kLossTerms.end(),
                      [&](const auto& term) { return term.name == name; });
}

bool may_stand_for(std::string_view placeholder, std::string_view member) {
  if (placeholder == "loss") return place_of_loss(member) != config::kLossTerms.end();
  if (placeholder == "modality") {
    return std::any_of(config::kModalities.begin(), config::kModalities.end(),
                       [&](auto modality) { return config::modality_name(modality) == member; });
  }
  if (placeholder == "number") {
    return !member.empty() && member.find_first_not_of("0123456789") == member.npos;
  }
  return !member.empty();
}

std::string filled(std::string_view text, std::string_view member) {
  const auto [before, placeholder, after] = pattern_of(text);
  return fmt::format("{}{}{}", before, placeholder.empty() ? "" : member, after);
}

/// Shorter ones first among numbers, so that "block 10" follows "block 9".
bool is_before(const std::string& a, const std::string& b) {
  const auto known = [](const std::string& name) { return find_metric(name); };
  const auto first = known(a), second = known(b);
  if (!first || !second || first->metric != second->metric) {
    const auto place = [](const auto& found) { return found ? found->metric : kMetrics.end(); };
    return place(first) != place(second) ? place(first) < place(second) : a < b;
  }
  const auto placeholder = pattern_of(first->metric->name).placeholder;
  if (placeholder == "loss") {
    return place_of_loss(first->member) < place_of_loss(second->member);
  }
  if (placeholder == "modality") return first->member > second->member;  // video first
  const bool by_length = placeholder == "number" && a.size() != b.size();
  return by_length ? a.size() < b.size() : a < b;
}

}  // namespace

Stage stage_named(std::string_view name) {
  if (name == "pretrain") return Stage::kPretraining;
  if (name == "finetune") return Stage::kFineTuning;
  return name == "lm" ? Stage::kLanguageModel : Stage::kUnknown;
}

std::string metric(MetricFamily family, std::string_view member) {
  RAVEN_CHECK(may_stand_for(pattern_of(family.text()).placeholder, member),
              "no name of this family of metrics");
  return filled(family.text(), member);
}

std::string KnownMetric::label() const { return filled(metric->label, member); }

std::optional<KnownMetric> find_metric(std::string_view name) {
  for (const auto& metric : kMetrics) {
    const auto [before, placeholder, after] = pattern_of(metric.name);
    if (placeholder.empty()) {
      if (name == before) return KnownMetric{.metric = &metric, .member = {}};
      continue;
    }
    if (name.size() < before.size() + after.size() || !name.starts_with(before) ||
        !name.ends_with(after)) {
      continue;
    }
    const auto member = name.substr(before.size(), name.size() - before.size() - after.size());
    if (may_stand_for(placeholder, member)) return KnownMetric{.metric = &metric, .member = member};
  }
  return std::nullopt;
}

Unit Panel::unit() const {
  const auto found = std::find_if(kMetrics.begin(), kMetrics.end(),
                                  [this](const auto& metric) { return metric.panel == id; });
  return found == kMetrics.end() ? Unit::kNone : found->unit;
}

const std::vector<Panel>& panels() {
  using enum PanelGroup;
  static const std::vector<Panel> all = {
      {.id = PanelId::kErrorRate,
       .group = kLearning,
       .title = "word error rate on held-out clips",
       .meaning = "lower is better",
       .over_epochs = true},
      {.id = PanelId::kPerplexity,
       .group = kLearning,
       .title = "perplexity on held-out sentences",
       .meaning = "by word; lower is better",
       .over_epochs = true},
      {.id = PanelId::kLoss,
       .group = kLearning,
       .title = "loss",
       .meaning = "mean since the last report, and on held-out data",
       .by_stage = true},
      {.id = PanelId::kLosses,
       .group = kLearning,
       .title = "parts of the loss",
       .meaning = "minus the mean cosine, or what loss.kind says; student first, teacher second"},
      {.id = PanelId::kCtc, .group = kLearning, .title = "CTC loss", .meaning = "per utterance"},
      {.id = PanelId::kAttention,
       .group = kLearning,
       .title = "attention loss",
       .meaning = "per utterance"},
      {.id = PanelId::kAccuracy,
       .group = kLearning,
       .title = "accuracy",
       .meaning = "share of the decoder's units that are right"},
      {.id = PanelId::kGain,
       .group = kLearning,
       .title = "gain",
       .meaning = "what predictions score beyond a constant one; 0: nothing learnt"},
      {.id = PanelId::kHeldOutGain,
       .group = kLearning,
       .title = "gain on held-out clips",
       .meaning = "the same without training on them"},
      {.id = PanelId::kHeldOutLosses,
       .group = kLearning,
       .title = "parts of the held-out loss",
       .meaning = "the same masks in every evaluation"},
      {.id = PanelId::kProbe,
       .group = kLearning,
       .title = "probe",
       .meaning = "R\xC2\xB2 of log-mel energies, linear in frozen features"},
      {.id = PanelId::kRecognitionAccuracy,
       .group = kLearning,
       .title = "recognition probe: accuracy",
       .meaning = "share of units read from the student's features"},
      {.id = PanelId::kRecognitionCtc,
       .group = kLearning,
       .title = "recognition probe: CTC loss",
       .meaning = "per utterance"},
      {.id = PanelId::kRecognitionAttention,
       .group = kLearning,
       .title = "recognition probe: attention loss",
       .meaning = "per utterance"},
      {.id = PanelId::kTargetSpread,
       .group = kCollapse,
       .title = "spread of targets",
       .meaning = "distance from their mean; 0: all alike"},
      {.id = PanelId::kPredictionSpread, .group = kCollapse, .title = "spread of predictions"},
      {.id = PanelId::kTargetRank,
       .group = kCollapse,
       .title = "effective rank of targets",
       .meaning = "directions that carry them"},
      {.id = PanelId::kPredictionRank,
       .group = kCollapse,
       .title = "effective rank of predictions"},
      {.id = PanelId::kRate, .group = kOptimisation, .title = "learning rate"},
      {.id = PanelId::kBlockRate,
       .group = kOptimisation,
       .title = "learning rate of the encoder blocks",
       .meaning = "0: the lowest block"},
      {.id = PanelId::kMomentum,
       .group = kOptimisation,
       .title = "momentum",
       .meaning = "share of its weights that a teacher keeps"},
      {.id = PanelId::kGradient,
       .group = kOptimisation,
       .title = "gradient norm",
       .meaning = "before clipping",
       .by_stage = true},
      {.id = PanelId::kSpeed,
       .group = kSpeed,
       .title = "video frames per second",
       .meaning = "25 are a second of speech"},
      {.id = PanelId::kWaiting,
       .group = kSpeed,
       .title = "waiting for data",
       .meaning = "share of the time"},
      {.id = PanelId::kStepTime, .group = kSpeed, .title = "seconds a step"},
      {.id = PanelId::kMemory,
       .group = kSpeed,
       .title = "memory in bytes",
       .meaning = "of the process, and of tensors on the GPU"},
      {.id = PanelId::kSkipped,
       .group = kSpeed,
       .title = "skipped utterances",
       .meaning = "by reason"},
      {.id = PanelId::kOther, .group = kOther, .title = "other"}};
  return all;
}

std::vector<FilledPanel> fill_panels(const std::set<std::string>& names) {
  std::map<PanelId, std::vector<std::string>> of;
  for (const auto& name : names) {
    const auto known = find_metric(name);
    const auto panel = known ? known->metric->panel : PanelId::kOther;
    if (panel != PanelId::kNone) of[panel].push_back(name);
  }
  std::vector<FilledPanel> filled;
  for (const auto& panel : panels()) {
    const auto found = of.find(panel.id);
    if (found == of.end()) continue;
    std::sort(found->second.begin(), found->second.end(), is_before);
    filled.push_back({.panel = &panel, .names = std::move(found->second)});
  }
  return filled;
}

std::string metrics_markdown(Moment moment) {
  std::string text = "| key | stage | meaning |\n|---|---|---|\n";
  for (const auto& metric : kMetrics) {
    if (metric.moment != moment) continue;
    const auto& writers = metric.writers;
    std::vector<const char*> stages;
    if (writers.pretraining) stages.push_back("pretrain");
    if (writers.fine_tuning) stages.push_back("finetune");
    if (writers.language_model) stages.push_back("lm");
    const auto names = stages.size() == 3 ? "every" : fmt::format("{}", fmt::join(stages, ", "));
    text += fmt::format("| `{}` | {} | {} |\n", metric.name, names, metric.meaning);
  }
  return text;
}

}  // namespace raven::report
