// Settings that every training stage shares: where the run lives, its data, its optimiser, its
// pace.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "raven/config/fields.h"

namespace raven::config {

/// More would overflow the count of steps.
inline constexpr double kMostEpochs = 1e6;

enum class Device { kAuto, kCpu, kCuda };
template <>
struct EnumNames<Device> {
  static constexpr std::pair<Device, std::string_view> kNames[] = {
      {Device::kAuto, "auto"}, {Device::kCpu, "cpu"}, {Device::kCuda, "cuda"}};
};

enum class Precision { kFp32, kTf32, kBf16 };
template <>
struct EnumNames<Precision> {
  static constexpr std::pair<Precision, std::string_view> kNames[] = {
      {Precision::kFp32, "fp32"}, {Precision::kTf32, "tf32"}, {Precision::kBf16, "bf16"}};
};

enum class Waveform { kAsIs, kClip };
template <>
struct EnumNames<Waveform> {
  static constexpr std::pair<Waveform, std::string_view> kNames[] = {{Waveform::kAsIs, "none"},
                                                                     {Waveform::kClip, "clip"}};
};

/// Over what a loss is averaged before its gradient is taken.
enum class LossMean { kStep, kBatch };
template <>
struct EnumNames<LossMean> {
  static constexpr std::pair<LossMean, std::string_view> kNames[] = {{LossMean::kStep, "step"},
                                                                     {LossMean::kBatch, "batch"}};
};
inline constexpr const char* kLossMeanMeaning =
    "step: over all targets of a step's batches, which weigh the same; batch: over each batch's "
    "targets, then over the batches (published, where a GPU has a batch)";

struct RunConfig {
  std::string dir = kRequired;
  std::int64_t seed = 42;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("dir", &RunConfig::dir, "folder of the run: configuration, log, metrics, checkpoints");
    v.field("seed", &RunConfig::seed, at_least(0),
            "every random draw follows from it: weights, order, crops, masks, dropout");
  }
};

struct VideoInputConfig {
  std::int64_t window = 96;
  std::int64_t shrink = 1;
  std::int64_t crop = 88;
  double flip = 0.5;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("window", &VideoInputConfig::window, between(8, 96),
            "side of the centre window taken from the stored 96 x 96 pixels");
    v.field("shrink", &VideoInputConfig::shrink, between(1, 8),
            "the window is averaged over squares of this many pixels; must divide window");
    v.field(
        "crop", &VideoInputConfig::crop, between(8, 96),
        "side of the model's input, cut at random from the shrunk window (centre when evaluating)");
    v.field("flip", &VideoInputConfig::flip, between(0, 1),
            "chance that a training clip is mirrored");
  }
};

/// Where a command reads sound as the model was trained on it, unless it is told otherwise.
inline constexpr const char* kWholeSoundMeaning =
    "of an audio encoder: true: all floor(samples / 640) frames of the sound, beyond the last "
    "video frame too; false: as long as the video; null: as the model was trained";

/// Where the files of published lists lie, in every configuration that names lists.
struct MediaRootsConfig {
  std::string video_root, audio_root;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field(
        "video_root", &MediaRootsConfig::video_root,
        "folder of the videos of published .csv lists, in its folder <tag>/ where there is one; "
        "empty: the list's own folder");
    v.field("audio_root", &MediaRootsConfig::audio_root, "the same for the .wav files");
  }
};

struct DataConfig : MediaRootsConfig {
  std::vector<std::string> manifest = {kRequired};
  std::vector<std::int64_t> list_weights;
  std::string valid_manifest;
  std::vector<std::string> test_manifest;
  bool check_overlap = true;
  std::optional<std::int64_t> workers;
  std::int64_t max_frames = 2400;
  std::int64_t valid_max_frames = 500;
  std::int64_t prefetch = 4;
  std::int64_t max_skipped = 200;
  std::optional<std::int64_t> max_utterances;
  VideoInputConfig video;
  Waveform waveform = Waveform::kAsIs;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field(
        "manifest", &DataConfig::manifest,
        "lists of training utterances, one or several: .tsv files of `raven prepare`, or published "
        ".csv lists");
    v.field("list_weights", &DataConfig::list_weights, between(1, 1000),
            "how often an epoch shows each clip of each list of manifest, in their order; a list "
            "that is to count half has 1 where the others have 2; empty: once");
    v.field("valid_manifest", &DataConfig::valid_manifest,
            "list of held-out utterances for monitoring; empty: none");
    v.field("test_manifest", &DataConfig::test_manifest,
            "lists that results will be told on, read for nothing else: training refuses clips of "
            "theirs, by id or by what their files hold, and warns of speakers of theirs");
    v.field("check_overlap", &DataConfig::check_overlap,
            "false: training, validation and test lists are not compared, and the run's record "
            "and the model's file say so");
    MediaRootsConfig::fields(v);
    v.field(
        "workers", &DataConfig::workers, between(0, 256),
        "loader threads; 0 loads in the training thread; null: one for each processor of which the "
        "process has a share, 4 at most; the batches are the same for any number");
    v.field("max_frames", &DataConfig::max_frames, at_least(1),
            "budget of a batch in padded video frames (25 a second)");
    v.field("valid_max_frames", &DataConfig::valid_max_frames, at_least(1),
            "the same for held-out batches");
    v.field("prefetch", &DataConfig::prefetch, between(1, 64), "batches made ready ahead of need");
    v.field(
        "max_skipped", &DataConfig::max_skipped, at_least(0),
        "unusable utterances to skip before the run ends with exit code 3; counted anew at every "
        "start of the program");
    v.field("max_utterances", &DataConfig::max_utterances, at_least(1),
            "use only the first so many utterances of the manifest; null: all");
    v.group("video", &DataConfig::video, "how stored mouth crops become the model's input");
    v.field("waveform", &DataConfig::waveform,
            "none: samples as they are (published); clip: each clip to mean 0 and deviation 1");
  }
};

struct OptimizerConfig {
  double lr = 3e-3;
  double min_lr = 1e-5;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.04;
  double max_grad_norm = 3.0;
  double warmup_epochs = 40;
  std::optional<std::int64_t> warmup_steps;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("lr", &OptimizerConfig::lr, at_least(0), "peak learning rate of AdamW");
    v.field("min_lr", &OptimizerConfig::min_lr, at_least(0), "learning rate at the last step");
    v.field("beta1", &OptimizerConfig::beta1, below_one(), "decay of AdamW's gradient average");
    v.field("beta2", &OptimizerConfig::beta2, below_one(), "decay of AdamW's squared average");
    v.field("eps", &OptimizerConfig::eps, above(0), "AdamW's epsilon");
    v.field("weight_decay", &OptimizerConfig::weight_decay, at_least(0),
            "decoupled decay, applied to every parameter");
    v.field("max_grad_norm", &OptimizerConfig::max_grad_norm, above(0),
            "gradients are scaled down to this L2 norm; in pre-training each modality by itself");
    v.field("warmup_epochs", &OptimizerConfig::warmup_epochs, between(0, kMostEpochs),
            "epochs of linear warm-up");
    v.field("warmup_steps", &OptimizerConfig::warmup_steps, at_least(0),
            "the same in steps; null: from warmup_epochs");
  }
};

/// Of which batches BatchNorm's statistics are, where several ranks train.
enum class BatchStatistics { kAll, kOwn };
template <>
struct EnumNames<BatchStatistics> {
  static constexpr std::pair<BatchStatistics, std::string_view> kNames[] = {
      {BatchStatistics::kAll, "all"}, {BatchStatistics::kOwn, "own"}};
};

struct TrainConfig {
  double epochs = 150;
  std::optional<std::int64_t> steps;
  Precision precision = Precision::kFp32;
  std::int64_t accumulate = 1;
  BatchStatistics batch_norm = BatchStatistics::kAll;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("epochs", &TrainConfig::epochs, above_up_to(0, kMostEpochs),
            "passes over the training data");
    v.field("steps", &TrainConfig::steps, at_least(1), "optimiser steps; null: from epochs");
    v.field("precision", &TrainConfig::precision,
            "fp32, tf32 (CUDA: matrix products in TF32) or bf16 (autocast; weights stay fp32)");
    v.field(
        "accumulate", &TrainConfig::accumulate, between(1, 100000),
        "batches per optimiser step, those of all ranks counted; equals one large batch but for "
        "BatchNorm's statistics");
    v.field("batch_norm", &TrainConfig::batch_norm,
            "whose statistics BatchNorm takes where several ranks train: all: of the batches that "
            "the ranks compute at the same time (published); own: each batch's, so that any number "
            "of ranks learns what one process does");
  }
};

struct CheckpointConfig {
  std::int64_t every = 1000;
  std::optional<double> every_epochs;
  std::int64_t keep = 2;
  std::int64_t keep_every = 0;
  bool background = true;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("every", &CheckpointConfig::every, at_least(1), "steps between checkpoints");
    v.field("every_epochs", &CheckpointConfig::every_epochs, above_up_to(0, kMostEpochs),
            "the same in passes over the training data; null: every");
    v.field("keep", &CheckpointConfig::keep, at_least(2),
            "newest checkpoints kept; two at least, so that a damaged one has a whole predecessor");
    v.field("keep_every", &CheckpointConfig::keep_every, at_least(0),
            "checkpoints whose step is a multiple of this stay for good; 0: none");
    v.field("background", &CheckpointConfig::background,
            "a checkpoint is copied in memory and written while training goes on; false: training "
            "waits until it is written, which saves the memory of the copy");
  }
};

/// How the ranks of a command meet, and when one of them is given up.
struct MeetingConfig {
  std::int64_t join_s = 300;
  std::int64_t lost_s = 20;
  std::int64_t hang_s = 1800;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("join_s", &MeetingConfig::join_s, between(1, 86400),
            "seconds to wait for ranks that have not come yet");
    v.field("lost_s", &MeetingConfig::lost_s, between(2, 86400),
            "a rank that was not heard of for so many seconds is lost, and the run ends with exit "
            "code 75; shorter breaks of a link are waited out");
    v.field("hang_s", &MeetingConfig::hang_s, between(1, 604800),
            "the run ends as well when the ranks have waited so many seconds for one that lives "
            "but does not come, as a step never takes");
  }
};

struct DistributedConfig : MeetingConfig {
  bool shard_optimizer = false;

  template <class Visitor>
  static void fields(Visitor& v) {
    MeetingConfig::fields(v);
    v.field("shard_optimizer", &DistributedConfig::shard_optimizer,
            "each rank keeps AdamW's averages of its share of the weights and updates these "
            "(ZeRO-1, arXiv 1910.02054): less memory, the same numbers and checkpoints, more to "
            "send");
  }
};

inline constexpr const char* kRanksMeaning =
    "processes that work together on this machine, a GPU or a share of the cores each; 0: as many "
    "as torchrun, srun or mpirun started, else one for each GPU, else one";

/// By what of the evaluations on held-out data the best checkpoint is told.
enum class KeptBest { kNone, kLoss, kError };
template <>
struct EnumNames<KeptBest> {
  static constexpr std::pair<KeptBest, std::string_view> kNames[] = {
      {KeptBest::kNone, "none"}, {KeptBest::kLoss, "loss"}, {KeptBest::kError, "error"}};
};
inline constexpr const char* kPatienceMeaning =
    "the run ends after so many evaluations in a row that were no better than the best one; needs "
    "keep_best; null: it makes all its steps";

struct LogConfig {
  std::int64_t every = 50;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("every", &LogConfig::every, at_least(1), "steps between reports");
  }
};

}  // namespace raven::config
