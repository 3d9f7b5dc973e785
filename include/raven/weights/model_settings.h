// What a model is and what it reads: the settings that its file carries in its metadata, so that
// the file alone suffices to use it.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "raven/config/flat_config.h"
#include "raven/config/load.h"
#include "raven/config/model_config.h"
#include "raven/config/run_config.h"
#include "raven/core/error.h"
#include "raven/models/encoder.h"
#include "raven/weights/safetensors.h"

namespace raven::weights {

using Metadata = std::map<std::string, std::string>;

enum class ModelKind { kRecognizer, kEncoder, kLanguageModel };

/// "raven-recognizer": the metadata "format" of a file of that kind.
std::string_view format_of(ModelKind kind);

/// Settings of an encoder, or of a recognizer with its encoder.
struct ModelSettings {
  models::Modality modality = models::Modality::kVideo;
  config::EncoderConfig encoder;
  config::FrontendConfig frontend;                      // of that modality
  config::DecoderConfig decoder;                        // of a recognizer
  config::VideoInputConfig video;                       // data.video
  config::Waveform waveform = config::Waveform::kAsIs;  // data.waveform
  bool whole_sound = false;                             // data.whole_sound
  std::optional<double> ctc_weight;  // of a recognizer's training; empty: not known
  std::string units;                 // of a recognizer: content of a units file; empty: not known
  std::int64_t vocabulary = 0;       // number of units; 0: not known
  Metadata others;  // further model.* keys of the run that made it, kept as they are

  [[nodiscard]] bool hears_whole_sound() const {
    return whole_sound && modality == models::Modality::kAudio;
  }

  /// From a file's metadata, or the configuration of a run (FlatConfig), where one modality's sizes
  /// (model.video_encoder.*) come before the common ones; what is not there, or null, has its
  /// default. Throws CheckpointError naming `file` when a value cannot be used.
  static ModelSettings from_metadata(const Metadata& given, models::Modality modality,
                                     const std::filesystem::path& file);

  /// With format, version, modality and normalisation, keys as in a configuration; a recognizer's
  /// also with "decode.*", the published settings, or what remains of them where it was trained
  /// with one loss alone.
  [[nodiscard]] Metadata to_metadata(ModelKind kind) const;
};

/// Keys of decoding that belong to a call, not to a model: no file says them, none is heard.
inline constexpr std::array kDecodingOfACall = {"decode.lm", "decode.nbest"};

/// What a model's file says of how it was made; no setting follows from it. Lists are JSON:
/// [{"list": "train.tsv", "clips": 31982, "used": 31982, "xxh3": "0123456789abcdef"}].
inline constexpr const char* kTrainedOn = "trained_on";
inline constexpr const char* kValidatedOn = "validated_on";
inline constexpr const char* kTestLists = "test_lists";        // data.test_manifest
inline constexpr const char* kOverlapCheck = "overlap_check";  // what became of that check
inline constexpr const char* kStartedFrom = "started_from";    // name of the model that it goes on
inline constexpr const char* kStartedWith = "started_with";    // what was taken of that
inline constexpr const char* kStartedStep = "started_from_step";      // of the run that made it
inline constexpr const char* kStartedSha256 = "started_from_sha256";  // of its file of weights
inline constexpr std::array kStarted = {kStartedFrom, kStartedWith, kStartedStep, kStartedSha256};
inline constexpr std::array kOrigin = {kTrainedOn,   kValidatedOn, kTestLists,   kOverlapCheck,
                                       kStartedFrom, kStartedWith, kStartedStep, kStartedSha256};

/// A run of pre-training tells of each student what it started from: kStarted with "_video" or
/// "_audio" at their ends.
std::string of_student(const std::string& key, models::Modality modality);
/// What the file of that student says of its run's card: its own of these keys, without the ending.
Metadata card_of_student(const Metadata& card, models::Modality modality);

/// Which weights of its run a model's file holds.
inline constexpr const char* kStep = "step";    // after so many optimiser steps
inline constexpr const char* kSteps = "steps";  // of so many that the run was to have
inline constexpr const char* kAveraged = "averaged_checkpoints";  // the mean of so many
/// Of weights that are those of the best evaluation (validation.keep_best): by what, "loss" or
/// "error"; and after how many steps the run had ended.
inline constexpr const char* kBestBy = "best_by";
inline constexpr const char* kRunStep = "run_step";

/// "video" or "audio", as a file's metadata or a run's configuration say. Throws CheckpointError
/// naming `file` for anything else.
models::Modality modality_named(const std::string& name, const std::filesystem::path& file);

/// "modality" and "normalisation": what an encoder reads, and how its numbers are prepared.
/// `waveform`: data.waveform as configured, "none" or "clip".
void describe_input(models::Modality modality, const std::string& waveform, Metadata& metadata);

/// Of a recognizer's metadata those of its encoder.
void keep_encoder(Metadata& metadata);

/// The network of a language model, from its file's metadata or the configuration of a run. Throws
/// CheckpointError naming `file` when a value cannot be used.
config::LanguageModelConfig language_model_of(const Metadata& metadata,
                                              const std::filesystem::path& file);
/// What its file says of itself. `units`: content of a units file; empty: not known.
Metadata language_model_metadata(const config::LanguageModelConfig& model, std::int64_t num_units,
                                 const std::string& units);

/// Settings of `Config` that metadata hold under their keys, as overrides; those whose key begins
/// with `prefix`.
template <class Config>
std::vector<std::string> settings_in(const Metadata& metadata, const std::string& prefix) {
  Config defaults;
  const auto schema = config::bind(defaults);
  std::vector<std::string> overrides;
  for (const auto& [key, value] : metadata) {
    if (key.starts_with(prefix) && schema.find(key) != nullptr)
      overrides.push_back(key + "=" + value);
  }
  return overrides;
}

/// Throws CheckpointError naming `file` when a setting cannot be used.
template <class Config>
Config with_settings(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
  try {
    return config::load_text<Config>("", file.string(), overrides, {.allow_missing = true}).config;
  } catch (const ConfigError& error) {
    throw CheckpointError(fmt::format("{}: settings in its metadata cannot be used: {}",
                                      file.string(), error.what()));
  }
}

}  // namespace raven::weights
