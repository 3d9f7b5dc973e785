// Configuration of `raven evaluate`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "raven/config/decode_config.h"
#include "raven/config/fields.h"
#include "raven/config/noise_config.h"
#include "raven/config/run_config.h"

namespace raven::config {

struct EvaluationDataConfig : MediaRootsConfig {
  std::vector<std::string> manifest = {kRequired};
  std::optional<bool> whole_sound;
  std::optional<std::int64_t> workers;
  std::int64_t max_frames = 800;
  std::int64_t max_skipped = 200;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("manifest", &EvaluationDataConfig::manifest,
            "lists of utterances with transcripts, each a set of its own, named after its file");
    reading_fields(v);
  }

 protected:
  template <class Visitor>
  static void reading_fields(Visitor& v) {
    MediaRootsConfig::fields(v);
    v.field("whole_sound", &EvaluationDataConfig::whole_sound, kWholeSoundMeaning);
    v.field(
        "workers", &EvaluationDataConfig::workers, between(0, 256),
        "loader threads; null: one for each processor of which the process has a share, 2 at most");
    v.field("max_frames", &EvaluationDataConfig::max_frames, at_least(1),
            "budget of utterances that are searched together, in padded video frames; a longer one "
            "is searched alone. Follows from the list alone, so that a stopped run ends the same");
    v.field("max_skipped", &EvaluationDataConfig::max_skipped, at_least(0),
            "unusable utterances to leave out before it ends with exit code 3");
  }
};

/// What is decoded for its texts.
struct UnlabelledDataConfig : EvaluationDataConfig {
  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("manifest", &UnlabelledDataConfig::manifest,
            "lists of utterances, with or without transcripts, which are labelled together");
    reading_fields(v);
  }
};

struct ScoringConfig {
  std::int64_t bootstrap = 1000;
  std::int64_t seed = 1;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("bootstrap", &ScoringConfig::bootstrap, at_least(0),
            "resampled sets that the confidence interval comes from; 0: no interval");
    v.field("seed", &ScoringConfig::seed, at_least(0), "of the resampling");
  }
};

struct EvaluateConfig {
  static constexpr const char* kStage = "evaluate";  // of the stage and of its command

  std::vector<std::string> model = {kRequired};
  std::string out;
  Device device = Device::kAuto;
  std::int64_t threads = 0;
  std::int64_t ranks = 0;
  MeetingConfig distributed;
  EvaluationDataConfig data;
  NoiseLevelsConfig noise;
  DecodeConfig decode;
  ScoringConfig scoring;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("model", &EvaluateConfig::model,
            "recognizers, one or several: .safetensors or .pth files, runs of `raven finetune`, or "
            "their checkpoints");
    v.field("out", &EvaluateConfig::out,
            "folder of the results, <out>/<set>; with several models <out>/<model>/<set>; empty: "
            "evaluate/ beside the model, in its run's folder");
    v.field("device", &EvaluateConfig::device, "auto: a GPU when there is one");
    v.field("threads", &EvaluateConfig::threads, between(0, 4096),
            "CPU threads of the networks; 0: one per core, shared by the ranks of a host");
    v.field("ranks", &EvaluateConfig::ranks, between(0, 4096), kRanksMeaning);
    v.group("distributed", &EvaluateConfig::distributed,
            "ranks: how they meet, when one is given up");
    v.group("data", &EvaluateConfig::data, "what is decoded");
    v.group("noise", &EvaluateConfig::noise, "what is mixed into the sound; for models that hear");
    v.group("decode", &EvaluateConfig::decode,
            "how outputs become text; what is not given is what the model's file says");
    v.group("scoring", &EvaluateConfig::scoring, "error rates");
  }

  /// Rules across fields. Throws ConfigError naming the fields, what is wrong and what would do.
  void check() const;
};

}  // namespace raven::config
