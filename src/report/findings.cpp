#include "report/findings.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cctype>

#include "raven/config/loss_terms.h"
#include "raven/report/collapse_limits.h"
#include "report/html.h"

namespace raven::report {
namespace {

std::string text_or(const std::map<std::string, std::string>& map, const std::string& key) {
  const auto found = map.find(key);
  return found == map.end() ? std::string() : found->second;
}

std::string points_text(double fraction) { return fmt::format("{:.1f} points", 100 * fraction); }

/// What the run says of itself; of an older run, what only one stage has among its settings, or
/// among its numbers.
Stage stage_of(const RunRecord& run) {
  const auto said = stage_named(text_or(run.environment, "stage"));
  if (said != Stage::kUnknown) return said;
  if (!run.value("teacher.momentum").empty()) return Stage::kPretraining;
  if (!run.value("loss.ctc_weight").empty()) return Stage::kFineTuning;
  for (const auto& [key, track] : run.metrics.tracks) {
    const auto known = find_metric(key);
    if (!known) continue;
    const auto& writers = known->metric->writers;
    if (!writers.pretraining && !writers.fine_tuning) return Stage::kLanguageModel;
    if (!writers.fine_tuning) return Stage::kPretraining;
    if (!writers.pretraining) return Stage::kFineTuning;
  }
  return Stage::kUnknown;
}

/// The head that read held-out clips best, by its lowest word error rate.
struct HeldOutRate {
  const char* head = "";  // for readers
  MetricName name;
  const Track* track = nullptr;
};

std::optional<HeldOutRate> held_out_rate(const RunRecord& run) {
  std::optional<HeldOutRate> best;
  for (auto rate : {HeldOutRate{.head = "decoder", .name = "valid_wer_attention"},
                    HeldOutRate{.head = "CTC head", .name = "valid_wer_ctc"}}) {
    rate.track = run.metrics.find(rate.name);
    if (rate.track == nullptr) continue;
    if (!best || rate.track->lowest().value < best->track->lowest().value) best = rate;
  }
  return best;
}

/// "12 blocks of width 512"; of both modalities where theirs differ. Empty: not known.
std::string encoder_sizes(const RunRecord& run) {
  const auto size = [&](config::Modality modality, const std::string& name) {
    const auto own =
        run.value(fmt::format("model.{}_encoder.{}", config::modality_name(modality), name));
    return own.empty() || own == "null" ? run.value("model.encoder." + name) : own;
  };
  std::vector<std::string> sizes;
  for (const auto modality : config::kModalities) {
    const auto blocks = size(modality, "blocks");
    if (blocks.empty()) return "";
    sizes.push_back(fmt::format("{} blocks of width {}", blocks, size(modality, "dim")));
  }
  if (sizes.front() == sizes.back()) return sizes.front();
  for (std::size_t i = 0; i < sizes.size(); ++i)
    sizes[i] = fmt::format("{} {}", config::modality_name(config::kModalities[i]), sizes[i]);
  return fmt::format("{}", fmt::join(sizes, ", "));
}

std::string what_it_is(const RunRecord& run, Stage stage) {
  std::vector<std::string> parts;
  if (stage == Stage::kPretraining) {
    const bool braven = run.value("teacher.target") == "average_instance_norm";
    parts.push_back(braven ? "BRAVEn pre-training" : "RAVEn pre-training");
  } else if (stage == Stage::kFineTuning) {
    const auto modality = run.value("model.modality");
    const auto init = run.value("model.init");
    parts.push_back(fmt::format("fine-tuning{}{}", modality.empty() ? "" : " for " + modality,
                                init.empty() ? ", from random weights" : ", from " + init));
  } else if (stage == Stage::kLanguageModel) {
    parts.push_back(fmt::format("language model, {} blocks of width {}", run.value("model.blocks"),
                                run.value("model.dim")));
  } else {
    parts.emplace_back("a run of unknown kind");
  }
  if (const auto sizes = encoder_sizes(run); !sizes.empty()) parts.push_back(sizes);
  if (const auto count = run.number("parameters")) {
    parts.push_back(count_text(static_cast<std::int64_t>(*count)) + " parameters");
  }
  const auto hours = text_or(run.environment, "hours");
  const auto utterances = text_or(run.environment, "utterances");
  if (!hours.empty()) parts.push_back(fmt::format("{} utterances, {} h", utterances, hours));
  const auto device = text_or(run.environment, "device");
  if (!device.empty()) parts.push_back("on " + device);
  return fmt::format("{}", fmt::join(parts, " \xC2\xB7 "));
}

std::string progress_of(const RunRecord& run) {
  if (run.metrics.lines == 0) return "no steps reported";
  const auto step = count_text(static_cast<std::int64_t>(run.metrics.last_step));
  const auto steps = run.number("steps");
  auto text =
      steps ? fmt::format("{} of {} steps", step, count_text(static_cast<std::int64_t>(*steps)))
            : step + " steps";
  if (const auto* epoch = run.metrics.find("epoch")) {
    text += fmt::format(", {:.4g} epochs", epoch->last().value);
  }
  return text;
}

/// Sets without noise come first, then the lowest rate.
std::optional<BestRate> best_rate(const RunRecord& run) {
  std::optional<BestRate> best;
  bool best_is_clean = false;
  for (const auto& evaluation : run.evaluations) {
    if (!evaluation.rates) continue;
    const bool clean = !parse_set_name(evaluation.name).snr_db;
    if (best && (best_is_clean != clean ? best_is_clean : best->wer <= evaluation.rates->wer)) {
      continue;
    }
    best = {evaluation.name, evaluation.rates->wer, evaluation.rates->confidence,
            evaluation.rates->warning};
    best_is_clean = clean;
  }
  if (best) return best;
  if (const auto held_out = held_out_rate(run)) {
    const auto lowest = held_out->track->lowest();
    return BestRate{
        .set = fmt::format("held-out clips, {}, step {}", held_out->head, number_text(lowest.step)),
        .wer = lowest.value,
        .confidence = {}};
  }
  return std::nullopt;
}

/// The linear probes of both modalities, first and last.
struct Probes {
  double video_rise = 0, most_rise = 0;
  std::string text;
};

Probes probes_of(const RunRecord& run) {
  Probes probes;
  for (const auto one : config::kModalities) {
    const auto modality = config::modality_name(one);
    const auto* track = run.metrics.find("probe_r2_<modality>", modality);
    if (track == nullptr) continue;
    const double rise = track->last().value - track->first().value;
    if (one == config::Modality::kVideo) probes.video_rise = rise;
    probes.most_rise = std::max(probes.most_rise, rise);
    probes.text += fmt::format("{} of {} {:.3f} \xE2\x86\x92 {:.3f}",
                               probes.text.empty() ? "; probe R\xC2\xB2" : ",", modality,
                               track->first().value, track->last().value);
  }
  return probes;
}

void judge_pretraining(const RunRecord& run, Assessment& result) {
  std::vector<std::string> gains;
  double most = -1;
  for (const auto& term : config::kLossTerms) {
    const auto loss = term.name;
    const auto* track = run.metrics.find("valid_gain_<loss>", loss);
    if (track == nullptr) track = run.metrics.find("gain_<loss>", loss);
    if (track == nullptr) continue;
    const double gain = track->mean(0.95, 1);
    most = std::max(most, gain);
    gains.push_back(fmt::format("{} {:+.3f}", loss, gain));
  }
  const auto probes = probes_of(run);
  if (gains.empty()) {
    result.verdict = "Cannot be told: no gains were reported.";
    return;
  }
  const auto numbers =
      fmt::format("gain over a constant prediction: {}{}", fmt::join(gains, ", "), probes.text);
  const bool predicts = most >= kLeastGain;
  if (!predicts && probes.most_rise >= kLeastProbeRise) {
    // Averaged targets and long masks leave little to gain, and features are what counts.
    result.verdict =
        "Its features tell more than before, its predictions hardly more than a constant one: " +
        numbers;
  } else if (!predicts) {
    result.mood = Mood::kBad;
    result.verdict = "It has learnt nothing so far: " + numbers;
  } else if (probes.video_rise < 0) {
    result.verdict =
        "It learnt to predict, but its video features tell less of the sound than before: " +
        numbers;
  } else {
    result.mood = most > 0.1 ? Mood::kGood : Mood::kUnclear;
    result.verdict = (most > 0.1 ? "It learnt: " : "It has begun to learn: ") + numbers;
  }
}

void judge_error_rate(const RunRecord& run, Assessment& result) {
  std::string course;
  if (const auto held_out = held_out_rate(run); held_out && held_out->track->count() > 1) {
    course = fmt::format("; held-out WER of the {} {} \xE2\x86\x92 {}", held_out->head,
                         percent_text(held_out->track->first().value),
                         percent_text(held_out->track->last().value));
  }
  if (!result.best) {
    result.verdict = "Cannot be told: no word error rate was measured.";
    return;
  }
  const double wer = result.best->wer;
  const auto text = fmt::format("WER {} ({}){}", percent_text(wer), result.best->set, course);
  if (wer >= 0.95) {
    result.mood = Mood::kBad;
    result.verdict = "It recognises next to nothing: " + text;
  } else if (!result.best->warning.empty()) {
    result.mood = Mood::kBad;
    result.verdict = fmt::format("It may have learnt nothing: {}: {}", result.best->warning, text);
  } else {
    result.mood = wer < 0.6 ? Mood::kGood : Mood::kUnclear;
    result.verdict = (wer < 0.6 ? "It learnt: " : "It recognises some words: ") + text;
  }
}

void judge_language_model(const RunRecord& run, Assessment& result) {
  const auto* own = run.metrics.find("valid_perplexity");
  const auto* bigram = run.metrics.find("valid_perplexity_bigram");
  if (own == nullptr || bigram == nullptr) {
    result.verdict = "Cannot be told: no perplexity was measured.";
    return;
  }
  const double reached = own->last().value, yardstick = bigram->last().value;
  const bool better = reached < yardstick;
  result.mood = better ? Mood::kGood : Mood::kBad;
  result.verdict =
      fmt::format("It {} a bigram of the same text: perplexity {:.1f}, the bigram's {:.1f}",
                  better ? "beats" : "does not beat", reached, yardstick);
}

/// Gains and probes need frames to look at; without them they are undefined, not wrong.
bool may_be_undefined(const std::string& key) {
  const auto known = find_metric(key);
  if (!known) return false;
  const auto panel = known->metric->panel;
  return panel == PanelId::kGain || panel == PanelId::kHeldOutGain || panel == PanelId::kProbe;
}

void look_at_progress(const RunRecord& run, std::vector<Finding>& found) {
  if (run.stopped_on_nan) {
    found.push_back(
        {Mood::kBad, "A step had NaN or Inf: nan/ in the run's folder names the tensor.", ""});
  }
  for (const auto& [key, count] : run.metrics.not_finite) {
    if (may_be_undefined(key)) continue;
    found.push_back({Mood::kBad,
                     fmt::format("{} was NaN or infinite in {}.", key,
                                 counted(static_cast<double>(count), "report")),
                     "curves"});
  }
  const auto steps = run.number("steps");
  if (steps && run.metrics.lines > 0 && run.metrics.last_step < *steps) {
    found.push_back(
        {Mood::kUnclear,
         fmt::format("Not finished: {} of {} steps ({:.0f} %).", number_text(run.metrics.last_step),
                     number_text(*steps), 100 * run.metrics.last_step / *steps),
         ""});
  }
}

void look_at_collapse(const RunRecord& run, std::vector<Finding>& found) {
  for (const auto& one : config::kModalities) {
    const auto modality = config::modality_name(one);
    const auto* spread = run.metrics.find("target_spread_<modality>", modality);
    if (spread == nullptr || spread->count() < 2) continue;
    if (spread->mean(0.95, 1) < kLeastShareOfSpread * spread->first().value) {
      found.push_back(
          {Mood::kBad,
           fmt::format("Targets of {} fell to {:.0f} % of their first spread: the teacher "
                       "may be collapsing.",
                       modality, 100 * spread->mean(0.95, 1) / spread->first().value),
           "curves"});
    }
  }
  for (const auto& term : config::kLossTerms) {
    const auto loss = term.name;
    const auto* spread = run.metrics.find("prediction_spread_<loss>", loss);
    const auto* gain = run.metrics.find("gain_<loss>", loss);
    if (spread == nullptr || gain == nullptr || spread->count() < 10) continue;
    if (spread->mean(0.9, 1) < kLeastPredictionSpread && gain->mean(0.9, 1) < kLeastGain) {
      found.push_back(
          {Mood::kBad,
           fmt::format("{} gives nearly the same prediction for every frame (spread {:.3f}, "
                       "gain {:+.3f}).",
                       loss, spread->mean(0.9, 1), gain->mean(0.9, 1)),
           "curves"});
    }
  }
}

/// Held-out loss or error rate that was clearly better before.
void look_at_overfitting(const RunRecord& run, std::vector<Finding>& found) {
  constexpr std::int64_t kFewestLooks = 4;
  constexpr double kClearRate = 0.02, kClearShareOfRange = 0.15, kRecent = 0.85;
  const auto look = [&](MetricName name, const Track& track) {
    if (track.count() < kFewestLooks) return;
    const bool rate = find_metric(name.text())->metric->unit == Unit::kShare;
    const double lost = track.last().value - track.lowest().value;
    const double range = track.highest().value - track.lowest().value;
    const bool clear = lost > (rate ? kClearRate : kClearShareOfRange * range);
    if (!clear || track.lowest().step > kRecent * track.last().step) return;
    found.push_back(
        {Mood::kUnclear,
         fmt::format("{} was best at step {} and has risen by {} since: overfitting, or a "
                     "learning rate too high.",
                     name.text(), number_text(track.lowest().step),
                     rate ? points_text(lost) : number_text(lost)),
         "curves"});
  };
  if (const auto held_out = held_out_rate(run)) look(held_out->name, *held_out->track);
  if (const auto* loss = run.metrics.find("valid_loss")) look("valid_loss", *loss);
}

void look_at_speed(const RunRecord& run, std::vector<Finding>& found) {
  if (const auto* wait = run.metrics.find("wait_share"); wait != nullptr && wait->count() > 2) {
    const double share = wait->mean(0.1, 1);
    if (share > 0.15) {
      found.push_back(
          {Mood::kUnclear,
           fmt::format("{:.0f} % of the time was spent waiting for data: raise data.workers, "
                       "or put the shards on a faster disk.",
                       100 * share),
           "speed"});
    }
  }
  if (const auto* speed = run.metrics.find("frames_per_s");
      speed != nullptr && speed->count() >= 12) {
    const double before = speed->mean(0.05, 0.35), now = speed->mean(0.75, 1);
    if (now < 0.6 * before) {
      found.push_back({Mood::kUnclear,
                       fmt::format("It became slower: {} frames/s, {} at first.", number_text(now),
                                   number_text(before)),
                       "speed"});
    }
  }
}

/// Up to the first full stop, colon or semicolon.
std::string first_clause(const std::string& text) {
  constexpr std::size_t kLongest = 160;
  const auto end = std::min(text.find_first_of(":;\n"), text.find(". "));
  return end == std::string::npos && text.size() < kLongest
             ? text
             : text.substr(0, std::min(end, kLongest)) + " ...";
}

void look_at_files(const RunRecord& run, std::vector<Finding>& found) {
  std::int64_t skipped = 0;
  for (const auto& [reason, count] : run.skipped_by_reason) skipped += count;
  if (skipped > 0) {
    found.push_back({Mood::kUnclear,
                     counted(static_cast<double>(skipped), "utterance") + " skipped.", "skipped"});
  }
  if (run.num_warnings > 0) {
    found.push_back({Mood::kUnclear,
                     fmt::format("The log holds {}: {}",
                                 counted(static_cast<double>(run.num_warnings), "warning"),
                                 first_clause(run.warnings.empty() ? "" : run.warnings.front())),
                     "log"});
  }
  for (const auto& problem : run.problems) found.push_back({Mood::kUnclear, problem, ""});
}

/// A mean of checkpoints that is worse than the last one, results of weights that the run has gone
/// on from, and a length that was changed on the way.
void look_at_provenance(const RunRecord& run, std::vector<Finding>& found) {
  if (run.recognizer && !run.recognizer->warning.empty()) {
    auto text = run.recognizer->warning + ".";
    text.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(text.front())));
    found.push_back({Mood::kBad, text, ""});
  }
  for (const auto& evaluation : run.evaluations) {
    if (!evaluation.rates || !evaluation.rates->by || !evaluation.rates->by->step) continue;
    const double step = *evaluation.rates->by->step;
    const auto& by = *evaluation.rates->by;
    if (by.steps && step >= *by.steps && step < run.metrics.last_step) {
      found.push_back(
          {Mood::kUnclear,
           fmt::format("{}: is of the weights of step {}; the run has gone on to step "
                       "{} since.",
                       evaluation.name, number_text(step), number_text(run.metrics.last_step)),
           "rates"});
    }
  }
  for (std::size_t i = 1; i < run.history.size(); ++i) {
    const auto &before = run.history[i - 1].start, &now = run.history[i].start;
    if (now.steps == before.steps) continue;
    found.push_back(
        {Mood::kUnclear,
         fmt::format("Its length was changed from {} to {} steps after step {} ({}): learning rate "
                     "and momentum followed another schedule before.",
                     count_text(before.steps), count_text(now.steps), count_text(now.from_step),
                     now.time),
         "history"});
  }
}

/// Noisy versions of a set would only say the same again.
void look_at_results(const RunRecord& run, std::vector<Finding>& found) {
  for (const auto& evaluation : run.evaluations) {
    if (parse_set_name(evaluation.name).snr_db) continue;
    for (auto& finding : result_findings(evaluation)) {
      finding.text = evaluation.name + ": " + finding.text;
      found.push_back(std::move(finding));
    }
  }
}

}  // namespace

Assessment assess(const RunRecord& run) {
  Assessment result;
  result.stage = stage_of(run);
  result.what = what_it_is(run, result.stage);
  result.progress = progress_of(run);
  result.best = best_rate(run);
  if (result.stage == Stage::kPretraining) {
    judge_pretraining(run, result);
  } else if (result.stage == Stage::kLanguageModel) {
    judge_language_model(run, result);
  } else {
    judge_error_rate(run, result);
  }
  auto& found = result.suspicious;
  look_at_progress(run, found);
  look_at_collapse(run, found);
  look_at_overfitting(run, found);
  look_at_provenance(run, found);
  look_at_results(run, found);
  look_at_speed(run, found);
  look_at_files(run, found);
  std::stable_sort(found.begin(), found.end(), [](const Finding& a, const Finding& b) {
    return (a.mood == Mood::kBad) > (b.mood == Mood::kBad);
  });
  return result;
}

}  // namespace raven::report
