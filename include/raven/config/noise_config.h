// Sound that is mixed into utterances, when training or when evaluating.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "raven/config/fields.h"

namespace raven::config {

enum class NoiseKind { kNone, kWhite, kPink, kBabble, kFile };
template <>
struct EnumNames<NoiseKind> {
  static constexpr std::pair<NoiseKind, std::string_view> kNames[] = {
      {NoiseKind::kNone, "none"},
      {NoiseKind::kWhite, "white"},
      {NoiseKind::kPink, "pink"},
      {NoiseKind::kBabble, "babble"},
      {NoiseKind::kFile, "file"}};
};

inline constexpr const char* kNoiseKindMeaning =
    "white; pink (3 dB less each octave); babble: other speakers' utterances at once; file: "
    "stretches of a recording; none";
inline constexpr const char* kBabbleSpeakersMeaning =
    "voices of kind babble, each as loud as the others";

struct NoiseConfig {
  NoiseKind kind = NoiseKind::kNone;
  double snr_db = 0;
  std::optional<double> max_snr_db;
  double prob = 1;
  std::int64_t babble_speakers = 8;
  std::string babble_manifest;
  std::string file;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("kind", &NoiseConfig::kind, kNoiseKindMeaning);
    v.field("snr_db", &NoiseConfig::snr_db, between(-60, 100),
            "mean power of the whole utterance over that of the noise, in decibels");
    v.field("max_snr_db", &NoiseConfig::max_snr_db, between(-60, 100),
            "each utterance's ratio is drawn between snr_db and this; null: it is snr_db");
    v.field("prob", &NoiseConfig::prob, between(0, 1), "chance that an utterance gets noise");
    v.field("babble_speakers", &NoiseConfig::babble_speakers, between(1, 64),
            kBabbleSpeakersMeaning);
    v.field("babble_manifest", &NoiseConfig::babble_manifest,
            "list of the utterances that babble is made from; empty: those that are read anyway");
    v.field("file", &NoiseConfig::file,
            "recording of kind file: anything that libav reads, brought to mono at 16 kHz");
  }

  /// Rules across fields; `key` is the group's ("noise"). Throws RuleError.
  void check(const std::string& key) const {
    if (kind == NoiseKind::kFile && file.empty()) {
      throw RuleError(
          key + ".file",
          fmt::format("{0}.file is empty, expected a recording, because {0}.kind is file", key));
    }
    if (max_snr_db && *max_snr_db < snr_db) {
      throw RuleError(key + ".max_snr_db",
                      fmt::format("{0}.max_snr_db is {1}, expected at least {0}.snr_db, {2}", key,
                                  *max_snr_db, snr_db));
    }
  }
};

/// Noise in evaluation: every level is a set of results by itself.
struct NoiseLevelsConfig {
  NoiseKind kind = NoiseKind::kNone;
  std::vector<double> snr_db = {-5, 0, 5, 10, 15, 20};
  bool clean = true;
  std::int64_t seed = 1;
  std::int64_t babble_speakers = 8;
  std::string babble_manifest;
  std::string file;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("kind", &NoiseLevelsConfig::kind, kNoiseKindMeaning);
    v.field("snr_db", &NoiseLevelsConfig::snr_db, between(-60, 100),
            "mean power of the whole utterance over that of the noise, in decibels; one set of "
            "results, <set>@<noise>_<level>dB, for each");
    v.field("clean", &NoiseLevelsConfig::clean, "whether the sets are decoded without noise, too");
    v.field("seed", &NoiseLevelsConfig::seed, at_least(0),
            "what an utterance hears follows from this and its id, at every level and run");
    v.field("babble_speakers", &NoiseLevelsConfig::babble_speakers, between(1, 64),
            kBabbleSpeakersMeaning);
    v.field("babble_manifest", &NoiseLevelsConfig::babble_manifest,
            "list of the utterances that babble is made from; empty: those of the set");
    v.field("file", &NoiseLevelsConfig::file,
            "recording of kind file: anything that libav reads, brought to mono at 16 kHz; its "
            "name without ending is the noise's");
  }

  /// The same noise at one level, in every utterance.
  [[nodiscard]] NoiseConfig at(double level_db) const {
    return {.kind = kind,
            .snr_db = level_db,
            .max_snr_db = {},
            .prob = 1,
            .babble_speakers = babble_speakers,
            .babble_manifest = babble_manifest,
            .file = file};
  }

  /// As NoiseConfig::check().
  void check(const std::string& key) const {
    at(0).check(key);
    if (kind == NoiseKind::kNone) {
      if (clean) return;
      throw RuleError(key + ".clean", fmt::format("{0}.clean is false and {0}.kind none, so there "
                                                  "is nothing to decode",
                                                  key));
    }
    if (snr_db.empty()) {
      throw RuleError(key + ".snr_db",
                      fmt::format("{0}.snr_db is an empty list, expected at least one level, "
                                  "because {0}.kind is {1}",
                                  key, enum_name(kind)));
    }
    for (std::size_t i = 0; i < snr_db.size(); ++i) {
      for (std::size_t k = 0; k < i; ++k) {
        if (snr_db[i] == snr_db[k]) {
          throw RuleError(key + ".snr_db", fmt::format("{}.snr_db lists {} twice", key, snr_db[i]));
        }
      }
    }
  }
};

}  // namespace raven::config
