// Configuration of `raven probe`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "raven/config/features_config.h"
#include "raven/config/fields.h"
#include "raven/config/run_config.h"

namespace raven::config {

/// What the fitted and the scored half do not share.
enum class ProbeSplit { kSpeaker, kUtterance };
template <>
struct EnumNames<ProbeSplit> {
  static constexpr std::pair<ProbeSplit, std::string_view> kNames[] = {
      {ProbeSplit::kSpeaker, "speaker"}, {ProbeSplit::kUtterance, "utterance"}};
};

/// The labels that lists themselves tell.
inline constexpr const char* kSpeakerLabels = "speaker";

struct ProbeDataConfig : MediaRootsConfig {
  std::vector<std::string> manifest = {kRequired};
  std::int64_t utterances = 500;
  std::optional<std::int64_t> workers;
  std::int64_t max_skipped = 200;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("manifest", &ProbeDataConfig::manifest, "lists of utterances, one or several");
    v.field("utterances", &ProbeDataConfig::utterances, at_least(2),
            "so many of them, spread evenly over the lists");
    MediaRootsConfig::fields(v);
    v.field(
        "workers", &ProbeDataConfig::workers, between(0, 256),
        "loader threads; null: one for each processor of which the process has a share, 2 at most");
    v.field("max_skipped", &ProbeDataConfig::max_skipped, at_least(0),
            "unusable utterances to leave out before it ends with exit code 3");
  }
};

struct RetrievalConfig {
  bool enabled = true;
  std::int64_t window = 25;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("enabled", &RetrievalConfig::enabled,
            "where the model has both encoders: does a clip's sound find its lips, and its lips "
            "their sound?");
    v.field("window", &RetrievalConfig::window, between(1, 2500),
            "video frames from the middle of each clip that are compared; shorter clips take no "
            "part, so that lengths tell nothing");
  }
};

struct ProbeConfig {
  static constexpr const char* kStage = "probe";  // of the stage and of its command

  std::string model = kRequired;
  EncoderChoice modality = EncoderChoice::kOnlyOne;
  std::vector<std::string> layers = {kFinalLayer};
  std::vector<std::string> labels = {kSpeakerLabels};
  ProbeSplit split = ProbeSplit::kSpeaker;
  std::int64_t neighbours = 1;
  std::int64_t samples = 10000;
  RetrievalConfig retrieval;
  Device device = Device::kAuto;
  std::int64_t threads = 0;
  ProbeDataConfig data;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("model", &ProbeConfig::model,
            "encoders or a recognizer: a .safetensors or .pth file, a run, or one of its "
            "checkpoints");
    v.field("modality", &ProbeConfig::modality, "which encoder; auto: each that there is");
    v.field("layers", &ProbeConfig::layers,
            "each by itself: final (last block behind the final norm), numbers of blocks from 1 "
            "on, 0 (what the first block takes); or all (0 to the last block)");
    v.field("labels", &ProbeConfig::labels,
            "what is read out of the features: speaker (of the lists), and .tsv files with the "
            "columns id, label and, for labels of frames, begin_s and end_s; empty: nothing");
    v.field("split", &ProbeConfig::split,
            "what fitted and scored clips do not share: speaker, or only the utterance; speakers "
            "themselves are always read from other utterances");
    v.field("neighbours", &ProbeConfig::neighbours, between(1, 1000),
            "how many of the nearest fitted frames vote, by cosine of standardised features");
    v.field("samples", &ProbeConfig::samples, at_least(10),
            "frames of each half at most, spread evenly over it");
    v.group("retrieval", &ProbeConfig::retrieval, "clips found across modalities");
    v.field("device", &ProbeConfig::device, "auto: a GPU when there is one");
    v.field("threads", &ProbeConfig::threads, between(0, 4096),
            "CPU threads of the networks; 0: one per core");
    v.group("data", &ProbeConfig::data, "the clips");
  }

  /// Rules across fields. Throws ConfigError naming the fields, what is wrong and what would do.
  void check() const;
};

}  // namespace raven::config
