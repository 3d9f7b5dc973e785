// Configuration of `raven pretrain`.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "raven/config/fields.h"
#include "raven/config/loss_terms.h"
#include "raven/config/model_config.h"
#include "raven/config/run_config.h"
#include "raven/config/text_config.h"

namespace raven::config {

enum class MaskSampler { kSpans, kBernoulliStart };
template <>
struct EnumNames<MaskSampler> {
  static constexpr std::pair<MaskSampler, std::string_view> kNames[] = {
      {MaskSampler::kSpans, "spans"}, {MaskSampler::kBernoulliStart, "bernoulli_start"}};
};

/// Whether both modalities are hidden at the same frames.
enum class MaskDraw { kIndependent, kShared };
template <>
struct EnumNames<MaskDraw> {
  static constexpr std::pair<MaskDraw, std::string_view> kNames[] = {
      {MaskDraw::kIndependent, "independent"}, {MaskDraw::kShared, "shared"}};
};

/// What a prediction costs beside its target.
enum class LossKind { kCosine, kMeanSquared, kSmoothL1, kContrastive };
template <>
struct EnumNames<LossKind> {
  static constexpr std::pair<LossKind, std::string_view> kNames[] = {
      {LossKind::kCosine, "cosine"},
      {LossKind::kMeanSquared, "l2"},
      {LossKind::kSmoothL1, "smooth_l1"},
      {LossKind::kContrastive, "contrastive"}};
};

enum class TargetKind { kLast, kAverage, kAverageInstanceNorm, kAverageOfInstanceNorms };
template <>
struct EnumNames<TargetKind> {
  static constexpr std::pair<TargetKind, std::string_view> kNames[] = {
      {TargetKind::kLast, "last"},
      {TargetKind::kAverage, "average"},
      {TargetKind::kAverageInstanceNorm, "average_instance_norm"},
      {TargetKind::kAverageOfInstanceNorms, "average_of_instance_norms"}};
};

/// What a teacher is shown of the clip.
enum class TeacherInput { kWhole, kMasked };
template <>
struct EnumNames<TeacherInput> {
  static constexpr std::pair<TeacherInput, std::string_view> kNames[] = {
      {TeacherInput::kWhole, "whole"}, {TeacherInput::kMasked, "masked"}};
};

enum class TeacherCrop { kSame, kOwn };
template <>
struct EnumNames<TeacherCrop> {
  static constexpr std::pair<TeacherCrop, std::string_view> kNames[] = {
      {TeacherCrop::kSame, "same"}, {TeacherCrop::kOwn, "own"}};
};

enum class BatchNormMode { kTrain, kEval, kEma };
template <>
struct EnumNames<BatchNormMode> {
  static constexpr std::pair<BatchNormMode, std::string_view> kNames[] = {
      {BatchNormMode::kTrain, "train"},
      {BatchNormMode::kEval, "eval"},
      {BatchNormMode::kEma, "ema"}};
};

enum class MomentumSchedule { kCosine, kConstant, kReleased };
template <>
struct EnumNames<MomentumSchedule> {
  static constexpr std::pair<MomentumSchedule, std::string_view> kNames[] = {
      {MomentumSchedule::kCosine, "cosine"},
      {MomentumSchedule::kConstant, "constant"},
      {MomentumSchedule::kReleased, "released"}};
};

/// Video frames of an hour, the longest clip.
inline constexpr double kLongestSpan = 90000;

struct PretrainDataConfig : DataConfig {
  std::optional<double> hours;

  template <class Visitor>
  static void fields(Visitor& v) {
    DataConfig::fields(v);
    v.field("hours", &PretrainDataConfig::hours, above(0),
            "use only so many hours of the manifest, drawn at random by their ids, and so over all "
            "speakers, the same in every run and whatever the order of the list: each subset "
            "contains the smaller ones, and data.labelled_hours of fine-tuning on the same list "
            "where those are fewer; null: all");
  }
};

struct MaskConfig {
  MaskSampler sampler = MaskSampler::kSpans;
  MaskDraw draw = MaskDraw::kIndependent;
  double prob = 0.2;
  std::int64_t length = 3;
  std::optional<double> video_prob, audio_prob;
  std::optional<std::int64_t> video_length, audio_length;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("sampler", &MaskConfig::sampler,
            "spans: the released code's, prob is the share covered; bernoulli_start: the paper's "
            "words, every frame starts a span with chance prob");
    v.field("draw", &MaskConfig::draw,
            "independent: each modality has masks of its own (published); shared: both students "
            "are hidden the same frames, each with its 640 samples");
    v.field("prob", &MaskConfig::prob, between(0, 1),
            "how much is masked, see sampler; 0: nothing, losses must then cover all frames");
    v.field("length", &MaskConfig::length, between(1, kLongestSpan),
            "video frames per span, 40 ms each");
    v.field("video_prob", &MaskConfig::video_prob, between(0, 1), "for video; null: prob");
    v.field("audio_prob", &MaskConfig::audio_prob, between(0, 1), "for audio; null: prob");
    v.field("video_length", &MaskConfig::video_length, between(1, kLongestSpan),
            "for video; null: length");
    v.field("audio_length", &MaskConfig::audio_length, between(1, kLongestSpan),
            "for audio; null: length");
  }
};

struct LossConfig {
  PerLoss<double> weight = published_weights();
  LossKind kind = LossKind::kCosine;
  std::optional<double> beta = {}, temperature = {};
  bool cross_masked_only = false;
  bool within_masked_only = true;
  LossMean mean = LossMean::kStep;

  template <class Visitor>
  static void fields(Visitor& v) {
    for (const auto& term : kLossTerms) {
      v.field(
          term.name, [&term](auto& config) -> auto& { return config.weight[term]; }, at_least(0),
          "weight of " + modality_name(term.student) + " predicting " + modality_name(term.target));
    }
    v.field("kind", &LossConfig::kind,
            "of a frame, cosine: minus the cosine of prediction and target (published); l2: mean "
            "squared difference over channels; smooth_l1: the same of differences below beta, "
            "linear above; contrastive: InfoNCE, the frame's target among those of all frames that "
            "the loss covers in the batch, which takes (data.max_frames)^2 numbers of memory");
    v.field("beta", &LossConfig::beta, above(0),
            "smooth_l1: differences d below it cost d^2 / (2 beta), others d - beta / 2; null: 1");
    v.field("temperature", &LossConfig::temperature, above(0),
            "contrastive: cosines are divided by it; null: 0.1");
    v.field(
        "cross_masked_only", &LossConfig::cross_masked_only,
        losses_text(/*within=*/false) + " over masked frames only; false: over all real frames");
    v.field("within_masked_only", &LossConfig::within_masked_only,
            losses_text(/*within=*/true) + " over masked frames only; false: over all real frames");
    v.field("mean", &LossConfig::mean, kLossMeanMeaning);
  }

  /// Whether a term averages over masked frames only.
  [[nodiscard]] bool masked_only(const LossTerm& term) const {
    return term.is_within() ? within_masked_only : cross_masked_only;
  }
  [[nodiscard]] double smooth_l1_beta() const { return beta.value_or(1); }
  [[nodiscard]] double contrastive_temperature() const { return temperature.value_or(0.1); }
  /// Whether any loss trains this modality's student, or has its teacher's outputs as targets.
  [[nodiscard]] bool has_student(Modality modality) const {
    return any_weight([&](const LossTerm& term) { return term.student == modality; });
  }
  [[nodiscard]] bool has_teacher(Modality modality) const {
    return any_weight([&](const LossTerm& term) { return term.target == modality; });
  }
  [[nodiscard]] bool has_any() const {
    return any_weight([](const LossTerm&) { return true; });
  }

 private:
  template <class Predicate>
  [[nodiscard]] bool any_weight(Predicate wanted) const {
    return std::any_of(kLossTerms.begin(), kLossTerms.end(),
                       [&](const LossTerm& term) { return weight[term] > 0 && wanted(term); });
  }
};

struct TeacherConfig {
  TargetKind target = TargetKind::kLast;
  std::optional<std::int64_t> target_blocks = {}, target_block = {};
  TeacherInput input = TeacherInput::kWhole;
  TeacherCrop crop = TeacherCrop::kSame;
  double momentum = 0.999;
  MomentumSchedule momentum_schedule = MomentumSchedule::kCosine;
  bool dropout = false;
  bool drop_path = false;
  BatchNormMode batch_norm = BatchNormMode::kTrain;
  std::string video_weights, audio_weights;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("target", &TeacherConfig::target,
            "last: last block after after_norm (RAVEn); average: mean over all blocks; "
            "average_instance_norm: that, normalised per utterance and channel over time (BRAVEn); "
            "average_of_instance_norms: the mean of blocks that are each normalised so");
    v.field("target_blocks", &TeacherConfig::target_blocks, between(1, 256),
            "how many blocks, from the last (or target_block) back, the averages are over; null: "
            "all");
    v.field("target_block", &TeacherConfig::target_block, between(1, 256),
            "the block, counted from 1, that the averages end with; with target_blocks 1 it is "
            "the target alone; blocks behind it are not computed; null: the last");
    v.field("input", &TeacherConfig::input,
            "whole: teachers see the unmasked clip (published); masked: they see what their "
            "modality's student sees");
    v.field("crop", &TeacherConfig::crop,
            "same: the video teacher's frames are the student's (published); own: crop and flip "
            "are drawn anew for it in training; held-out clips are cut at the centre for both");
    v.field(
        "momentum", &TeacherConfig::momentum, between(0, 1),
        "share of its old weights that a teacher keeps at the first step; 0: it is the student");
    v.field("momentum_schedule", &TeacherConfig::momentum_schedule,
            "cosine: rises to 1 at the last step; constant; released: to 1 at half time and back, "
            "as the released code runs where its trainer counts the steps of both optimisers");
    v.field("dropout", &TeacherConfig::dropout, "dropout stays on in the teacher");
    v.field("drop_path", &TeacherConfig::drop_path,
            "drop-path stays on in the teacher (the released code's behaviour for Large)");
    v.field("batch_norm", &TeacherConfig::batch_norm,
            "train: the teacher's BatchNorm uses the batch's statistics (published); eval: the "
            "student's running ones, or those of the teacher's weights file; ema: a moving average "
            "of the student's running ones, which follows them as the teacher's weights do");
    v.field("video_weights", &TeacherConfig::video_weights,
            "checkpoint or encoder file of a fixed video teacher (ablation A3); empty: momentum");
    v.field("audio_weights", &TeacherConfig::audio_weights,
            "checkpoint or encoder file of a fixed audio teacher (ablation A3); empty: momentum");
  }

  /// How often each frame of a clip is cut in training.
  [[nodiscard]] std::int64_t num_views() const { return crop == TeacherCrop::kOwn ? 2 : 1; }
  /// Of a fixed teacher; empty: it follows its student.
  [[nodiscard]] const std::string& weights(Modality modality) const {
    return modality == Modality::kVideo ? video_weights : audio_weights;
  }
};

struct RecognitionMonitorConfig {
  bool enabled = false;
  TextConfig text;
  DecoderConfig decoder;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("enabled", &RecognitionMonitorConfig::enabled,
            "trains a CTC head and an attention decoder on the students' features, which get no "
            "gradient of them, and reports their losses and accuracy (published); utterances "
            "without a transcript are left out of it. Their gradients count in the norm that is "
            "clipped unless optimizer.clip is student");
    v.group("text", &RecognitionMonitorConfig::text, "how transcripts become units");
    v.group("decoder", &RecognitionMonitorConfig::decoder, "attention decoder");
  }
};

struct MonitorConfig {
  std::int64_t every = 1000;
  std::int64_t probe_utterances = 200;
  RecognitionMonitorConfig recognition;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("every", &MonitorConfig::every, at_least(0),
            "steps between evaluations on held-out clips (data.valid_manifest): losses, their gain "
            "over the targets' mean direction, and the probe, R2 of log-mel energies predicted "
            "linearly from frozen features; 0: never");
    v.field("probe_utterances", &MonitorConfig::probe_utterances, at_least(4),
            "held-out clips of an evaluation, for the losses and for the probe, which is fitted on "
            "half of them and scored on the others");
    v.group(
        "recognition", &MonitorConfig::recognition,
        "the published probe: how well the features can be read, in training and in evaluations");
  }
};

/// Whose gradients make the norm that a student's are clipped by.
enum class ClippedNorm { kAll, kStudent };
template <>
struct EnumNames<ClippedNorm> {
  static constexpr std::pair<ClippedNorm, std::string_view> kNames[] = {
      {ClippedNorm::kAll, "all"}, {ClippedNorm::kStudent, "student"}};
};

struct PretrainOptimizerConfig : OptimizerConfig {
  std::optional<double> video_lr, audio_lr;
  ClippedNorm clip = ClippedNorm::kAll;

  template <class Visitor>
  static void fields(Visitor& v) {
    OptimizerConfig::fields(v);
    v.field("video_lr", &PretrainOptimizerConfig::video_lr, at_least(0),
            "peak rate of the video student; null: lr");
    v.field("audio_lr", &PretrainOptimizerConfig::audio_lr, at_least(0),
            "peak rate of the audio student; null: lr");
    v.field("clip", &PretrainOptimizerConfig::clip,
            "all: a student, its predictors and its recognition probe are clipped together "
            "(published; the probe's gradients are hundreds of times as large); student: the probe "
            "by itself");
  }
};

struct PretrainConfig {
  static constexpr const char* kStage = "pretrain";  // of the stage and of its command

  RunConfig run;
  Device device = Device::kAuto;
  std::int64_t threads = 0;
  std::int64_t ranks = 0;
  DistributedConfig distributed;
  PretrainDataConfig data;
  ModelConfig model;
  MaskConfig mask;
  LossConfig loss;
  TeacherConfig teacher;
  PretrainOptimizerConfig optimizer;
  TrainConfig train;
  CheckpointConfig checkpoint;
  LogConfig log;
  MonitorConfig monitor;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.group("run", &PretrainConfig::run, "the run's folder and seed");
    v.field("device", &PretrainConfig::device, "auto: a GPU when there is one");
    v.field("threads", &PretrainConfig::threads, between(0, 4096),
            "CPU threads of the networks; 0: one per core, shared by the ranks of a host");
    v.field("ranks", &PretrainConfig::ranks, between(0, 4096), kRanksMeaning);
    v.group("distributed", &PretrainConfig::distributed,
            "ranks: how they meet, when one is given up");
    v.group("data", &PretrainConfig::data, "what is read, and how");
    v.group("model", &PretrainConfig::model, "the networks");
    v.group("mask", &PretrainConfig::mask, "which frames the students are not shown");
    v.group("loss", &PretrainConfig::loss, "what the students predict");
    v.group("teacher", &PretrainConfig::teacher, "the slow copies that make the targets");
    v.group("optimizer", &PretrainConfig::optimizer, "AdamW, one for each modality");
    v.group("train", &PretrainConfig::train, "length and arithmetic");
    v.group("checkpoint", &PretrainConfig::checkpoint, "what is kept to go on from");
    v.group("log", &PretrainConfig::log, "reports");
    v.group("monitor", &PretrainConfig::monitor, "evaluation on held-out clips");
  }

  /// Rules across fields. Throws ConfigError naming the fields, what is wrong and what would do.
  void check() const;
};

}  // namespace raven::config
