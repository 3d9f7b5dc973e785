// Configuration of `raven features`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "raven/config/fields.h"
#include "raven/config/film_faces_config.h"
#include "raven/config/run_config.h"

namespace raven::config {

enum class EncoderChoice { kOnlyOne, kVideo, kAudio };
template <>
struct EnumNames<EncoderChoice> {
  static constexpr std::pair<EncoderChoice, std::string_view> kNames[] = {
      {EncoderChoice::kOnlyOne, "auto"},
      {EncoderChoice::kVideo, "video"},
      {EncoderChoice::kAudio, "audio"}};
};

enum class FeatureFormat { kNpy, kSafetensors };
template <>
struct EnumNames<FeatureFormat> {
  static constexpr std::pair<FeatureFormat, std::string_view> kNames[] = {
      {FeatureFormat::kNpy, "npy"}, {FeatureFormat::kSafetensors, "safetensors"}};
};

enum class FeatureType { kFloat32, kFloat16 };
template <>
struct EnumNames<FeatureType> {
  static constexpr std::pair<FeatureType, std::string_view> kNames[] = {
      {FeatureType::kFloat32, "float32"}, {FeatureType::kFloat16, "float16"}};
};

/// Names in `layers` beside numbers.
inline constexpr const char* kFinalLayer = "final";
inline constexpr const char* kAllLayers = "all";

struct FeaturesDataConfig : MediaRootsConfig, FilmFacesConfig {
  std::vector<std::string> manifest;
  std::optional<bool> whole_sound;
  std::optional<std::int64_t> workers;
  std::int64_t max_frames = 800;
  std::int64_t max_skipped = 200;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("manifest", &FeaturesDataConfig::manifest,
            "lists of utterances, one or several; empty: the media files of the command line");
    MediaRootsConfig::fields(v);
    FilmFacesConfig::fields(v);
    v.field("whole_sound", &FeaturesDataConfig::whole_sound, kWholeSoundMeaning);
    v.field(
        "workers", &FeaturesDataConfig::workers, between(0, 256),
        "loader threads; null: one for each processor of which the process has a share, 2 at most");
    v.field("max_frames", &FeaturesDataConfig::max_frames, at_least(1),
            "budget of utterances that pass the blocks together, in padded video frames; a longer "
            "one passes alone. 1: each alone, the numbers then depend on nothing but the clip");
    v.field("max_skipped", &FeaturesDataConfig::max_skipped, at_least(0),
            "unusable utterances to leave out before it ends with exit code 3");
  }
};

struct FeaturesConfig {
  static constexpr const char* kStage = "features";  // of the stage and of its command

  std::string model = kRequired;
  EncoderChoice modality = EncoderChoice::kOnlyOne;
  std::vector<std::string> layers = {kFinalLayer};
  bool mean = false;
  std::string out = kRequired;
  FeatureFormat format = FeatureFormat::kNpy;
  FeatureType type = FeatureType::kFloat32;
  Device device = Device::kAuto;
  std::int64_t threads = 0;
  std::int64_t ranks = 0;
  MeetingConfig distributed;
  FeaturesDataConfig data;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("model", &FeaturesConfig::model,
            "an encoder or recognizer: a .safetensors or .pth file, a run, or one of its "
            "checkpoints");
    v.field("modality", &FeaturesConfig::modality,
            "which encoder, where there are two; auto: the only one");
    v.field("layers", &FeaturesConfig::layers,
            "one or several of: final (last block behind the final norm), numbers of blocks from 1 "
            "on, 0 (what the first block takes); or all (0 to the last block)");
    v.field("mean", &FeaturesConfig::mean, "the mean of the layers instead of each");
    v.field("out", &FeaturesConfig::out, "folder of the features, a file for each utterance");
    v.field("format", &FeaturesConfig::format, "npy; safetensors: with metadata in each file");
    v.field("type", &FeaturesConfig::type, "of the numbers that are written");
    v.field("device", &FeaturesConfig::device, "auto: a GPU when there is one");
    v.field("threads", &FeaturesConfig::threads, between(0, 4096),
            "CPU threads of the networks; 0: one per core, shared by the ranks of a host");
    v.field("ranks", &FeaturesConfig::ranks, between(0, 4096), kRanksMeaning);
    v.group("distributed", &FeaturesConfig::distributed,
            "ranks: how they meet, when one is given up");
    v.group("data", &FeaturesConfig::data, "what is encoded");
  }

  /// Rules across fields. Throws ConfigError naming the fields, what is wrong and what would do.
  void check() const;
};

}  // namespace raven::config
