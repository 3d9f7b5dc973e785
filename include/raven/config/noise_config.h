// Sound that is mixed into utterances, when training or when evaluating.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

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
    v.field(
        "kind", &NoiseConfig::kind,
        "white; pink (3 dB less each octave); babble: other speakers' utterances at once; file: "
        "stretches of a recording; none");
    v.field("snr_db", &NoiseConfig::snr_db, between(-60, 100),
            "mean power of the whole utterance over that of the noise, in decibels");
    v.field("max_snr_db", &NoiseConfig::max_snr_db, between(-60, 100),
            "each utterance's ratio is drawn between snr_db and this; null: it is snr_db");
    v.field("prob", &NoiseConfig::prob, between(0, 1), "chance that an utterance gets noise");
    v.field("babble_speakers", &NoiseConfig::babble_speakers, between(1, 64),
            "voices of kind babble, each as loud as the others");
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

}  // namespace raven::config
