// Configuration of `raven finetune`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "raven/config/fields.h"
#include "raven/config/model_config.h"
#include "raven/config/run_config.h"
#include "raven/config/text_config.h"

namespace raven::config {

enum class FrozenPart { kNone, kFrontend, kEncoder };
template <>
struct EnumNames<FrozenPart> {
  static constexpr std::pair<FrozenPart, std::string_view> kNames[] = {
      {FrozenPart::kNone, "none"},
      {FrozenPart::kFrontend, "frontend"},
      {FrozenPart::kEncoder, "encoder"}};
};

/// What is taken of the model that fine-tuning starts from.
enum class InitParts { kEncoder, kAll };
template <>
struct EnumNames<InitParts> {
  static constexpr std::pair<InitParts, std::string_view> kNames[] = {
      {InitParts::kEncoder, "encoder"}, {InitParts::kAll, "all"}};
};

/// By what the decoder's loss is divided.
enum class AttentionNorm { kNone, kUtterance, kTokens };
template <>
struct EnumNames<AttentionNorm> {
  static constexpr std::pair<AttentionNorm, std::string_view> kNames[] = {
      {AttentionNorm::kNone, "none"},
      {AttentionNorm::kUtterance, "utterance"},
      {AttentionNorm::kTokens, "tokens"}};
};

/// Whose peak rate the CTC head has.
enum class CtcRate { kOther, kEncoder };
template <>
struct EnumNames<CtcRate> {
  static constexpr std::pair<CtcRate, std::string_view> kNames[] = {{CtcRate::kOther, "other"},
                                                                    {CtcRate::kEncoder, "encoder"}};
};

struct LabelledDataConfig : DataConfig {
  std::optional<double> labelled_hours;
  std::string labelled_list;
  std::vector<std::string> pseudo_manifest;
  std::int64_t labelled_repeats = 1;
  bool whole_sound = false;

  template <class Visitor>
  static void fields(Visitor& v) {
    DataConfig::fields(v);
    v.field(
        "labelled_hours", &LabelledDataConfig::labelled_hours, above(0),
        "use only so many hours of the manifest, drawn at random by their ids, the same in every "
        "run, so that each subset contains the smaller ones; null: all");
    v.field("labelled_list", &LabelledDataConfig::labelled_list,
            "text file with the ids of the utterances to use, one a line; empty: all");
    v.field("pseudo_manifest", &LabelledDataConfig::pseudo_manifest,
            "lists whose texts a recognizer made (raven selftrain gives its own), learnt from "
            "beside data.manifest; labelled_hours and labelled_list do not choose from them");
    v.field("labelled_repeats", &LabelledDataConfig::labelled_repeats, between(1, 1000),
            "how often an epoch shows each clip of data.manifest, beside once each of "
            "pseudo_manifest, so that a few true labels keep their weight");
    v.field("whole_sound", &LabelledDataConfig::whole_sound,
            "with model.modality=audio: all floor(samples / 640) frames of the sound, beyond the "
            "last video frame too (published); false: as long as the video");
  }
};

struct RecognizerConfig {
  Modality modality = Modality::kVideo;
  std::string init;
  InitParts init_parts = InitParts::kEncoder;
  InitInput init_input = InitInput::kSame;
  std::int64_t reinit_blocks = 0;
  FrozenPart frozen = FrozenPart::kNone;
  std::int64_t cached_views = 1;
  EncoderConfig encoder;
  FrontendConfig video_frontend;
  FrontendConfig audio_frontend;
  DecoderConfig decoder;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("modality", &RecognizerConfig::modality, "what is read: lips (video) or sound (audio)");
    v.field(
        "init", &RecognizerConfig::init,
        "where weights come from: a .safetensors or .pth of an encoder or a recognizer, a run's "
        "folder or a checkpoint folder of pre-training or fine-tuning; empty: random weights");
    v.field("init_parts", &RecognizerConfig::init_parts,
            "encoder: of model.init its encoder, whose after_norm starts anew (published); all: a "
            "whole recognizer of the same sizes and units");
    v.field("init_input", &RecognizerConfig::init_input,
            "same: the encoder sees and hears what it was trained on: data.video.window, shrink "
            "and crop, or data.waveform, are those that model.init tells, and others are refused; "
            "own: those of this configuration");
    v.field("reinit_blocks", &RecognizerConfig::reinit_blocks, between(0, 256),
            "so many blocks at the end of the encoder start anew instead");
    v.field("frozen", &RecognizerConfig::frozen,
            "none: all weights are trained (published); frontend: the convolutions stay as they "
            "are; encoder: only CTC head and decoder are trained. Running statistics of frozen "
            "BatchNorm layers are estimated anew on the labelled clips");
    v.field("cached_views", &RecognizerConfig::cached_views, at_least(0),
            "with a frozen part: its outputs are computed once for so many augmented versions of "
            "each clip and kept in memory; 0: anew at each step");
    v.group("encoder", &RecognizerConfig::encoder, "transformer of the encoder");
    v.group("video_frontend", &RecognizerConfig::video_frontend, "3-D stem and ResNet-18");
    v.group("audio_frontend", &RecognizerConfig::audio_frontend, "1-D ResNet-18 on the waveform");
    v.group("decoder", &RecognizerConfig::decoder, "attention decoder");
  }
};

struct RecognitionLossConfig {
  double ctc_weight = 0.1;
  double label_smoothing = 0.1;
  AttentionNorm attention_norm = AttentionNorm::kNone;
  LossMean mean = LossMean::kStep;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("ctc_weight", &RecognitionLossConfig::ctc_weight, between(0, 1),
            "weight of the CTC loss; the decoder's has the rest. 1: no decoder is trained, 0: no "
            "CTC head");
    v.field("label_smoothing", &RecognitionLossConfig::label_smoothing, below_one(),
            "probability spread over the wrong units in the decoder's targets");
    v.field("attention_norm", &RecognitionLossConfig::attention_norm,
            "none: the decoder's loss is the sum over an utterance's units and its end "
            "(published); utterance: their mean, so that utterances weigh the same; tokens: over "
            "all units of what loss.mean averages, so that units weigh the same. Both make it "
            "smaller, so that ctc_weight weighs more");
    v.field("mean", &RecognitionLossConfig::mean, kLossMeanMeaning);
  }
};

struct TimeMaskConfig {
  std::optional<double> window_s, stride_s;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("window_s", &TimeMaskConfig::window_s, at_least(0),
            "longest zeroed run in seconds; 0: none; null: 0.4 for video, 0.6 for audio");
    v.field("stride_s", &TimeMaskConfig::stride_s, above(0),
            "one run for each so many seconds; null: 1 for video, 2 for audio");
  }
};

struct FinetuneOptimizerConfig : OptimizerConfig {
  FinetuneOptimizerConfig() {
    lr = 1e-3;
    beta2 = 0.98;
    weight_decay = 0.1;
    max_grad_norm = 5;
    warmup_epochs = 20;
  }
  double other_lr = 5e-3;
  CtcRate ctc_rate = CtcRate::kOther;
  double layer_decay = 0.5;

  template <class Visitor>
  static void fields(Visitor& v) {
    OptimizerConfig::fields(v);
    v.field("other_lr", &FinetuneOptimizerConfig::other_lr, at_least(0),
            "peak rate of CTC head and decoder; lr is that of the encoder's last block");
    v.field("ctc_rate", &FinetuneOptimizerConfig::ctc_rate,
            "peak rate of the CTC head: other (published): other_lr, as the decoder; encoder: lr");
    v.field("layer_decay", &FinetuneOptimizerConfig::layer_decay,
            Range{.low = 0, .high = 1, .low_open = true},
            "each block's peak rate is this times that of the block above it, min_lr at least; "
            "embedding and frontend have that of the first block; 1: all the same");
  }
};

struct FinetuneTrainConfig : TrainConfig {
  FinetuneTrainConfig() { epochs = 50; }
};

struct FinetuneCheckpointConfig : CheckpointConfig {
  FinetuneCheckpointConfig() {
    every_epochs = 1;
    keep = 10;
  }
  std::int64_t average = 10;
  double average_share = 0.25;

  template <class Visitor>
  static void fields(Visitor& v) {
    CheckpointConfig::fields(v);
    v.field("average", &FinetuneCheckpointConfig::average, at_least(1),
            "the finished recognizer is the mean of the last so many checkpoints; at most keep");
    v.field("average_share", &FinetuneCheckpointConfig::average_share,
            Range{.low = 0, .high = 1, .low_open = true},
            "of these only those that lie in so large a share of the run's steps, at its end: in a "
            "short run the others have hardly learnt; 1: all of them");
  }
};

struct ValidationConfig {
  double every_epochs = 1;
  std::int64_t utterances = 1200;
  KeptBest keep_best = KeptBest::kNone;
  std::optional<std::int64_t> patience;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("every_epochs", &ValidationConfig::every_epochs, between(0, kMostEpochs),
            "passes over the training data between evaluations on data.valid_manifest: losses, "
            "accuracy, word error rates of greedy decoding; 0: never");
    v.field("utterances", &ValidationConfig::utterances, at_least(1),
            "held-out clips of an evaluation, spread evenly over the list");
    v.field(
        "keep_best", &ValidationConfig::keep_best,
        "none: the recognizer is the mean of the last checkpoints; loss: it is the checkpoint "
        "of the evaluation with the lowest valid_loss, which is kept as checkpoints/best; "
        "error: with the lowest word error rate of greedy decoding, of the head that has fewer");
    v.field("patience", &ValidationConfig::patience, at_least(1), kPatienceMeaning);
  }
};

struct FinetuneConfig {
  static constexpr const char* kStage = "finetune";  // of the stage and of its command

  RunConfig run;
  Device device = Device::kAuto;
  std::int64_t threads = 0;
  std::int64_t ranks = 0;
  DistributedConfig distributed;
  LabelledDataConfig data;
  TextConfig text;
  RecognizerConfig model;
  RecognitionLossConfig loss;
  TimeMaskConfig time_mask;
  FinetuneOptimizerConfig optimizer;
  FinetuneTrainConfig train;
  FinetuneCheckpointConfig checkpoint;
  LogConfig log;
  ValidationConfig validation;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.group("run", &FinetuneConfig::run, "the run's folder and seed");
    v.field("device", &FinetuneConfig::device, "auto: a GPU when there is one");
    v.field("threads", &FinetuneConfig::threads, between(0, 4096),
            "CPU threads of the networks; 0: one per core, shared by the ranks of a host");
    v.field("ranks", &FinetuneConfig::ranks, between(0, 4096), kRanksMeaning);
    v.group("distributed", &FinetuneConfig::distributed,
            "ranks: how they meet, when one is given up");
    v.group("data", &FinetuneConfig::data, "what is read, and how");
    v.group("text", &FinetuneConfig::text, "the vocabulary");
    v.group("model", &FinetuneConfig::model, "the network, and where its encoder comes from");
    v.group("loss", &FinetuneConfig::loss, "CTC and attention");
    v.group("time_mask", &FinetuneConfig::time_mask,
            "adaptive time masking: runs of frames or samples that are zeroed in training");
    v.group("optimizer", &FinetuneConfig::optimizer, "AdamW with layer-wise rates");
    v.group("train", &FinetuneConfig::train, "length and arithmetic");
    v.group("checkpoint", &FinetuneConfig::checkpoint, "what is kept to go on from, and averaged");
    v.group("log", &FinetuneConfig::log, "reports");
    v.group("validation", &FinetuneConfig::validation, "evaluation on held-out clips");
  }

  [[nodiscard]] const FrontendConfig& frontend() const {
    return model.modality == Modality::kVideo ? model.video_frontend : model.audio_frontend;
  }

  /// Rules across fields. Throws ConfigError naming the fields, what is wrong and what would do.
  void check() const;
};

}  // namespace raven::config
