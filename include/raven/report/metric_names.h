// The numbers of a run: the name under which a task writes each to metrics.jsonl, what it means and
// on which panel it is drawn. Tasks, the log line, the report and the curves take their names from
// here; a name that is not in the table does not compile.
#pragma once

#include <array>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace raven::report {

enum class Stage { kPretraining, kFineTuning, kLanguageModel, kUnknown };

/// "pretrain", "finetune" and "lm", as environment.json has them; anything else is unknown.
Stage stage_named(std::string_view name);

/// What a number counts; those of one panel count the same.
enum class Unit { kNone, kShare, kSeconds, kFramesPerSecond, kBytes, kUtterances };

/// When a number is written: with a report (`log.every`) or with an evaluation on held-out clips.
enum class Moment { kReport, kEvaluation };

/// Which stages write a number.
struct Writers {
  bool pretraining = false, fine_tuning = false, language_model = false;
};
inline constexpr Writers kPretraining = {.pretraining = true};
inline constexpr Writers kFineTuning = {.fine_tuning = true};
inline constexpr Writers kLanguageModel = {.language_model = true};
/// That read clips.
inline constexpr Writers kClipStages = {.pretraining = true, .fine_tuning = true};
inline constexpr Writers kEveryStage = {
    .pretraining = true, .fine_tuning = true, .language_model = true};

/// One diagram of the curves. kNone: the number is not drawn.
enum class PanelId {
  kNone,
  kErrorRate,
  kPerplexity,
  kLoss,
  kLosses,
  kHeldOutLosses,
  kCtc,
  kAttention,
  kAccuracy,
  kGain,
  kHeldOutGain,
  kProbe,
  kRecognitionAccuracy,
  kRecognitionCtc,
  kRecognitionAttention,
  kTargetSpread,
  kPredictionSpread,
  kTargetRank,
  kPredictionRank,
  kRate,
  kBlockRate,
  kMomentum,
  kGradient,
  kSpeed,
  kWaiting,
  kStepTime,
  kMemory,
  kSkipped,
  kOther,  // of numbers that this table does not know
};

/// A number, or a family of them: in "gain_<loss>" the part in brackets stands for each loss.
struct Metric {
  std::string_view name;
  PanelId panel = PanelId::kNone;
  std::string_view label;  // in the panel's legend, with the same part in brackets
  Unit unit = Unit::kNone;
  Writers writers;
  Moment moment = Moment::kReport;
  std::string_view meaning;  // as docs/monitoring.md says it, in Markdown
};

/// In the order of docs/monitoring.md, in which legends follow too. The first that fits a name is
/// its metric.
inline constexpr auto kMetrics = std::to_array<Metric>({
    {"loss", PanelId::kLoss, "training", Unit::kNone, kEveryStage, Moment::kReport,
     "weighted sum of the losses, mean since the last report"},
    {"<loss>", PanelId::kLosses, "<loss>", Unit::kNone, kPretraining, Moment::kReport,
     "minus the mean cosine between prediction and target, or what `loss.kind` says, mean since "
     "the last report; student first, teacher second"},
    {"gain_<loss>", PanelId::kGain, "<loss>", Unit::kNone, kPretraining, Moment::kReport,
     "**gain over the targets' mean direction**: what the prediction scores beyond a constant one, "
     "mean cosine - length of the mean unit target over the same frames, whatever `loss.kind`. 0: "
     "nothing learnt"},
    {"target_spread_<modality>", PanelId::kTargetSpread, "<modality>", Unit::kNone, kPretraining,
     Moment::kReport,
     "root mean square distance of unit-length targets from their mean, 0 to 1. 0: all alike"},
    {"target_rank_<modality>", PanelId::kTargetRank, "<modality>", Unit::kNone, kPretraining,
     Moment::kReport,
     "effective rank: exp(entropy of the shares of variance along the principal axes), 1 to the "
     "width; never above the frames of the batch less 1"},
    {"prediction_spread_<loss>", PanelId::kPredictionSpread, "<loss>", Unit::kNone, kPretraining,
     Moment::kReport, "the same spread, of the predictions"},
    {"prediction_rank_<loss>", PanelId::kPredictionRank, "<loss>", Unit::kNone, kPretraining,
     Moment::kReport, "the same rank, of the predictions"},
    {"masked_share_<modality>", PanelId::kNone, "<modality>", Unit::kShare, kPretraining,
     Moment::kReport,
     "share of the clips' frames that the student was not shown (a check of the masks, not a "
     "curve)"},
    {"recognition_ctc_<modality>", PanelId::kRecognitionCtc, "<modality>", Unit::kNone,
     kPretraining, Moment::kReport,
     "recognition probe: loss, per utterance, of a CTC head that is trained on the student's "
     "features of the masked clips; no part of `loss`, no gradient into the encoder"},
    {"recognition_attention_<modality>", PanelId::kRecognitionAttention, "<modality>", Unit::kNone,
     kPretraining, Moment::kReport,
     "recognition probe: loss, per utterance, of an attention decoder beside it; both weigh 1"},
    {"recognition_accuracy_<modality>", PanelId::kRecognitionAccuracy, "<modality>", Unit::kShare,
     kPretraining, Moment::kReport,
     "recognition probe: share of units and ends that the decoder ranks first when it reads the "
     "true ones before"},
    {"ctc", PanelId::kCtc, "training", Unit::kNone, kFineTuning, Moment::kReport,
     "CTC loss per utterance, mean since the last report"},
    {"attention", PanelId::kAttention, "training", Unit::kNone, kFineTuning, Moment::kReport,
     "the decoder's loss per utterance, mean since the last report"},
    {"accuracy", PanelId::kAccuracy, "training", Unit::kShare, kFineTuning, Moment::kReport,
     "share of units and ends that the decoder ranks first when it reads the true ones before"},
    {"grad_norm", PanelId::kGradient, "all", Unit::kNone, kEveryStage, Moment::kReport,
     "L2 norm of all gradients before clipping, mean since the last report"},
    {"grad_norm_<set>", PanelId::kGradient, "<set>", Unit::kNone, kEveryStage, Moment::kReport,
     "the same of what is clipped together: `video` and `audio` in pre-training, `recognizer` in "
     "fine-tuning"},
    {"lr", PanelId::kRate, "first group", Unit::kNone, kEveryStage, Moment::kReport,
     "learning rate of the step, of the first group of parameters"},
    {"lr_block_<number>", PanelId::kBlockRate, "block <number>", Unit::kNone, kFineTuning,
     Moment::kReport, "of an encoder block, 0 the lowest"},
    {"lr_<group>", PanelId::kRate, "<group>", Unit::kNone, kEveryStage, Moment::kReport,
     "of a group: `video` and `audio` in pre-training; `after_norm`, `embed`, `frontend`, `ctc` "
     "and `decoder` in fine-tuning"},
    {"momentum", PanelId::kMomentum, "teachers", Unit::kNone, kPretraining, Moment::kReport,
     "share of its weights that a teacher keeps at the step"},
    {"epoch", PanelId::kNone, "", Unit::kNone, kEveryStage, Moment::kReport,
     "passes over the training data so far (an axis, not a curve)"},
    {"frames_per_s", PanelId::kSpeed, "training", Unit::kFramesPerSecond, kEveryStage,
     Moment::kReport,
     "video frames a second (25 are a second of speech); of a language model, units"},
    {"step_s", PanelId::kStepTime, "a step", Unit::kSeconds, kEveryStage, Moment::kReport,
     "seconds a step"},
    {"wait_share", PanelId::kWaiting, "waiting", Unit::kShare, kEveryStage, Moment::kReport,
     "share of the time that training spent on getting its batches"},
    {"ranks", PanelId::kNone, "", Unit::kNone, kEveryStage, Moment::kReport,
     "processes that train together, not a curve; only where there are several, as the next three"},
    {"ranks_wait_share", PanelId::kWaiting, "waiting for other ranks", Unit::kShare, kEveryStage,
     Moment::kReport, "share of the time that rank 0 spent waiting for other ranks and for sums"},
    {"slowest_rank", PanelId::kNone, "", Unit::kNone, kEveryStage, Moment::kReport,
     "the rank that works longest in a step, waiting not counted (not a curve)"},
    {"slowest_rank_share", PanelId::kNone, "", Unit::kShare, kEveryStage, Moment::kReport,
     "by how much it works longer than the median (not a curve)"},
    {"rss_bytes", PanelId::kMemory, "process", Unit::kBytes, kEveryStage, Moment::kReport,
     "resident memory of the process"},
    {"device_bytes", PanelId::kMemory, "tensors on the GPU, peak", Unit::kBytes, kEveryStage,
     Moment::kReport, "peak of tensors on the GPU; only there"},
    {"skipped", PanelId::kSkipped, "all", Unit::kUtterances, kEveryStage, Moment::kReport,
     "utterances that could not be used, each once, since the run was first started: those of "
     "`skipped.tsv`"},
    {"skipped_<reason>", PanelId::kSkipped, "<reason>", Unit::kUtterances, kClipStages,
     Moment::kReport, "of these, by reason"},

    {"valid_wer_ctc", PanelId::kErrorRate, "CTC, best path", Unit::kShare, kFineTuning,
     Moment::kEvaluation, "word error rate of the CTC head's best path, without a search"},
    {"valid_wer_attention", PanelId::kErrorRate, "decoder, greedy", Unit::kShare, kFineTuning,
     Moment::kEvaluation, "word error rate of the decoder's likeliest units, without a search"},
    {"valid_perplexity", PanelId::kPerplexity, "language model", Unit::kNone, kLanguageModel,
     Moment::kEvaluation,
     "exp(loss by word) on held-out sentences, where the end of a sentence counts as a word"},
    {"valid_perplexity_bigram", PanelId::kPerplexity, "bigram of the same text", Unit::kNone,
     kLanguageModel, Moment::kEvaluation,
     "the same of a Kneser-Ney bigram of the training text over the same units: what a language "
     "model has to beat"},
    {"valid_loss", PanelId::kLoss, "held out", Unit::kNone, kEveryStage, Moment::kEvaluation,
     "the loss on held-out clips; in pre-training with the same masks in every evaluation"},
    {"valid_<loss>", PanelId::kHeldOutLosses, "<loss>", Unit::kNone, kPretraining,
     Moment::kEvaluation, "each loss on held-out clips"},
    {"valid_gain_<loss>", PanelId::kHeldOutGain, "<loss>", Unit::kNone, kPretraining,
     Moment::kEvaluation, "each gain on held-out clips"},
    {"probe_r2_<modality>", PanelId::kProbe, "<modality>", Unit::kNone, kPretraining,
     Moment::kEvaluation,
     "how much of the variance of 40 log-mel energies a linear map predicts from one frame's "
     "frozen features, fitted on the clips of half of the held-out speakers and scored on the "
     "others. The ridge penalty is fixed (0.01 of a feature's mean variance), so nothing is tuned "
     "on the scored clips"},
    {"valid_recognition_ctc_<modality>", PanelId::kRecognitionCtc, "held out, <modality>",
     Unit::kNone, kPretraining, Moment::kEvaluation,
     "recognition probe: CTC loss on held-out clips, unmasked"},
    {"valid_recognition_attention_<modality>", PanelId::kRecognitionAttention,
     "held out, <modality>", Unit::kNone, kPretraining, Moment::kEvaluation,
     "recognition probe: the decoder's loss on them"},
    {"valid_recognition_accuracy_<modality>", PanelId::kRecognitionAccuracy, "held out, <modality>",
     Unit::kShare, kPretraining, Moment::kEvaluation,
     "recognition probe: the decoder's share on them"},
    {"valid_ctc", PanelId::kCtc, "held out", Unit::kNone, kFineTuning, Moment::kEvaluation,
     "CTC loss per utterance on held-out clips"},
    {"valid_attention", PanelId::kAttention, "held out", Unit::kNone, kFineTuning,
     Moment::kEvaluation, "the decoder's loss per utterance on held-out clips"},
    {"valid_accuracy", PanelId::kAccuracy, "held out", Unit::kShare, kFineTuning,
     Moment::kEvaluation, "the decoder's share of right units on held-out clips"},
    {"valid_skipped", PanelId::kSkipped, "held out", Unit::kUtterances, kClipStages,
     Moment::kEvaluation, "held-out clips that could not be used, each once"},
    {"valid_skipped_<reason>", PanelId::kSkipped, "held out, <reason>", Unit::kUtterances,
     kClipStages, Moment::kEvaluation, "of these, by reason"},
});

namespace detail {

constexpr bool is_in_table(std::string_view name) {
  for (const auto& metric : kMetrics) {
    if (metric.name == name) return true;
  }
  return false;
}
constexpr bool is_family(std::string_view name) { return name.find('<') != name.npos; }

// Not constexpr: reaching one of them is what the compiler reports.
void this_name_is_not_in_kMetrics();
void this_is_a_family_give_the_part_in_brackets();
void this_is_no_family();

}  // namespace detail

/// A single number of kMetrics, by a literal: "loss".
class MetricName {
 public:
  consteval MetricName(const char* name) : text_(name) {
    if (!detail::is_in_table(name)) detail::this_name_is_not_in_kMetrics();
    if (detail::is_family(name)) detail::this_is_a_family_give_the_part_in_brackets();
  }
  [[nodiscard]] constexpr std::string_view text() const { return text_; }

 private:
  std::string_view text_;
};

/// A family of kMetrics, by a literal: "gain_<loss>".
class MetricFamily {
 public:
  consteval MetricFamily(const char* name) : text_(name) {
    if (!detail::is_in_table(name)) detail::this_name_is_not_in_kMetrics();
    if (!detail::is_family(name)) detail::this_is_no_family();
  }
  [[nodiscard]] constexpr std::string_view text() const { return text_; }

 private:
  std::string_view text_;
};

/// A number's name as metrics.jsonl has it.
inline std::string metric(MetricName name) { return std::string(name.text()); }
/// metric("target_rank_<modality>", "audio") is "target_rank_audio".
std::string metric(MetricFamily family, std::string_view member);

/// What the table knows of a name found in metrics.jsonl.
struct KnownMetric {
  const Metric* metric = nullptr;
  std::string_view member;  // of a family, a part of the name; else empty

  /// For a legend: "held out, video".
  [[nodiscard]] std::string label() const;
};
std::optional<KnownMetric> find_metric(std::string_view name);

/// Panels that belong together, under one heading.
enum class PanelGroup { kLearning, kCollapse, kOptimisation, kSpeed, kOther };

struct Panel {
  PanelId id = PanelId::kOther;
  PanelGroup group = PanelGroup::kOther;
  const char* title = "";
  const char* meaning = "";  // one line; may be empty
  bool over_epochs = false;  // along epochs where runs have the same
  /// A pre-training and a fine-tuning run report different things here, which share no axis.
  bool by_stage = false;

  /// Of the numbers on it.
  [[nodiscard]] Unit unit() const;
};

/// In the order of a page; all but kNone.
const std::vector<Panel>& panels();

/// A panel and the numbers of a run that belong on it.
struct FilledPanel {
  const Panel* panel = nullptr;
  std::vector<std::string> names;  // in the order of kMetrics, members by value ("block_10" last)
};

/// Panels for these names, in order; those without a name are left out, and so are numbers that are
/// not drawn. What the table does not know is on the panel kOther.
std::vector<FilledPanel> fill_panels(const std::set<std::string>& names);

/// The two tables of docs/monitoring.md between its marks, one for each moment.
std::string metrics_markdown(Moment moment);

}  // namespace raven::report
