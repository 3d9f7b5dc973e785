// A corpus on disk -> shards of mouth crops and sound, and the manifests that list them.
//
// DIR/manifest.tsv, DIR/<subset>.tsv        what can be used
// DIR/valid.tsv                             some of LRS3's trainval, or what hold_out keeps from
//                                           training; of plain folders train.tsv has the others
// DIR/verdicts.tsv                          what became of every clip: id, verdict, message, file
// DIR/shards/<subset>-00000.tar (.index)    <id>.mp4 or .npy, <id>.wav, <id>.txt; no .wav of a film
//                                           without sound (its audio column is empty), no .mp4 of
//                                           sound without pictures (its video column is empty)
// DIR/shards/<subset>-00000.tsv, .verdicts.tsv   the shard's own lines; the latter is written last
// DIR/missing.txt                           names of PreparationOptions::list without a clip
// DIR/landmarks/<id>.npy                    faces that were found in films without landmarks
// DIR/prepare.json                          the options that the bytes depend on, and what is for
//                                           validation
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "raven/corpus/clip_preparation.h"
#include "raven/corpus/source_clip.h"
#include "raven/faces/face_finder.h"

namespace raven::data {

inline constexpr const char* kMissingFile = "missing.txt";

struct PreparationOptions {
  std::vector<std::filesystem::path> inputs;
  std::filesystem::path output;
  /// Given: every film has its landmarks there. Empty: they are in the folder `landmarks` of each
  /// input, and where a film has none its faces are found.
  std::filesystem::path landmarks;
  std::filesystem::path landmark_model;  // empty: faces::kDefaultLandmarkModel
  faces::FaceChoice face = faces::FaceChoice::kLargest;
  corpus::Layout layout = corpus::Layout::kAuto;
  std::string speaker_rule = corpus::kParentIsSpeaker;  // of a plain folder: corpus::SpeakerRule
  std::vector<std::string> subsets;                     // empty: all
  std::filesystem::path list;  // of the clips to take, a name a line; empty: all
  /// Utterances for validation, at most a tenth, that the list of LRS3's trainval, VoxCeleb2's dev
  /// or a plain folder's train.tsv is not to have; 0: 1,200 of LRS3, elsewhere a tenth. Empty: as
  /// the folder was prepared before; at first LRS3 has 1,200 that trainval.tsv lists as well, as
  /// published.
  std::optional<std::int64_t> hold_out;
  corpus::ClipOptions clip;
  std::uint64_t shard_bytes = 512ULL << 20;  // a shard ends with the clip that reaches this size
  std::int64_t workers = 0;                  // threads; 0: usable_processors()
  bool retry_failed = false;                 // also clips that an earlier run could not use
};

/// Clips of a run that had other rates than 25 frames and 16,000 samples a second.
struct ConvertedClips {
  std::int64_t frames = 0;                           // clips
  double lowest_rate_hz = 0, highest_rate_hz = 0;    // of their pictures
  std::map<std::int64_t, std::int64_t> sound_by_hz;  // clips by the rate of their sound
};

/// What valid.tsv lists.
struct ValidationList {
  std::int64_t utterances = 0;  // 0: there is none
  std::string from;             // "trainval.tsv": the list that they belong to
  bool held_out = false;        // which does not have them
  bool by_clips = false;        // speakers may stand in both
};

struct PreparationSummary {
  std::map<std::string, std::int64_t>
      clips_by_verdict;                     // of all clips, whichever run prepared them
  std::int64_t utterances = 0, frames = 0;  // in the manifest
  std::int64_t newly_prepared = 0;          // clips of this run
  ConvertedClips converted;                 // of this run's usable clips
  ValidationList valid;
  /// Names of PreparationOptions::list, and how many of them no clip has: DIR/missing.txt.
  std::int64_t listed = 0, missing = 0;
  bool stopped = false;  // before everything was done; the manifests are as before

  [[nodiscard]] std::int64_t num_clips() const;
  [[nodiscard]] double failed_share() const;  // 0 when there are no clips
};

/// How far a run is; called on the thread that called prepare().
struct PreparationProgress {
  std::int64_t clips_done = 0, clips_to_do = 0, frames_done = 0;
};

/// Prepares what is not prepared yet. Clips are taken in the order of their subsets and ids, so
/// that bytes depend on the corpus and the options alone: not on `workers`, nor on how often a run
/// was stopped or killed in between. A killed run loses at most the shard that it was writing.
/// Clips that appear later go into further shards, and into valid.tsv only as clips of speakers who
/// are there. Throws ConfigError (no clips, other options than those of `output`, nothing to hold
/// out from, `output` in use, an encoder that is not there) and SystemError (disk full,
/// read-only folder, ...).
PreparationSummary prepare(const PreparationOptions& options, std::stop_token stop = {},
                           const std::function<void(const PreparationProgress&)>& report = {});

}  // namespace raven::data
