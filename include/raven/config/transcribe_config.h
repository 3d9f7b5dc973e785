// Configuration of `raven transcribe`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "raven/config/decode_config.h"
#include "raven/config/fields.h"
#include "raven/config/film_faces_config.h"
#include "raven/config/run_config.h"

namespace raven::config {

/// Files that `format` may list.
inline constexpr std::string_view kTranscriptFormats[] = {"txt", "json", "tsv", "srt", "vtt"};

/// How long media become pieces that a recognizer takes.
struct CutConfig {
  double max_s = 20;
  double pause_s = 0.5;
  double pad_s = 0.6;
  double overlap_s = 4;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("max_s", &CutConfig::max_s, between(1, 120), "longest piece, seconds");
    v.field("pause_s", &CutConfig::pause_s, between(0.1, 60),
            "a silence of this length ends a piece; in shorter ones only a piece that would become "
            "too long is cut");
    v.field("pad_s", &CutConfig::pad_s, between(0, 10),
            "silence that a piece keeps on either side, half of the silence at most");
    v.field("overlap_s", &CutConfig::overlap_s, between(0, 60),
            "where there is no silence to cut at, or no sound: pieces are windows of max_s that "
            "overlap by this, joined where their words agree");
  }
};

struct TranscribeDataConfig : FilmFacesConfig {
  std::int64_t max_skipped = 0;

  template <class Visitor>
  static void fields(Visitor& v) {
    FilmFacesConfig::fields(v);
    v.field("max_skipped", &TranscribeDataConfig::max_skipped, at_least(0),
            "files without a transcript before it ends with exit code 3; all others are done");
  }
};

struct TranscribeConfig {
  static constexpr const char* kStage = "transcribe";  // of the stage and of its command

  std::vector<std::string> model = {kRequired};
  std::string out = kRequired;
  std::vector<std::string> format = {"txt", "json"};
  std::string annotate;
  bool replace = false;
  std::int64_t jobs = 1;
  Device device = Device::kAuto;
  std::int64_t threads = 0;
  CutConfig cut;
  TranscribeDataConfig data;
  DecodeConfig decode;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("model", &TranscribeConfig::model,
            "a recognizer, or one that hears and one that reads lips: .safetensors or .pth files, "
            "runs of `raven finetune`, or their checkpoints");
    v.field("out", &TranscribeConfig::out, "folder of the transcripts");
    v.field("format", &TranscribeConfig::format,
            "one or several of txt, json, tsv (a word a line), srt, vtt");
    v.field("annotate", &TranscribeConfig::annotate,
            "films to watch, with crop windows, landmarks and words drawn in: an .mp4 file where "
            "one file is transcribed, else a folder that gets one for each; empty: none");
    v.field("replace", &TranscribeConfig::replace,
            "transcribe files again that are done, and replace files of others in the folder");
    v.field("jobs", &TranscribeConfig::jobs, between(1, 256), "files that are read at once");
    v.field("device", &TranscribeConfig::device, "auto: a GPU when there is one");
    v.field("threads", &TranscribeConfig::threads, between(0, 4096),
            "CPU threads of the networks; 0: one per core");
    v.group("cut", &TranscribeConfig::cut, "how long media become pieces");
    v.group("data", &TranscribeConfig::data, "what is read");
    v.group("decode", &TranscribeConfig::decode,
            "how outputs become text; what is not given is what the model's file says");
  }

  /// Rules across fields. Throws ConfigError naming the fields, what is wrong and what would do.
  void check() const;
};

}  // namespace raven::config
