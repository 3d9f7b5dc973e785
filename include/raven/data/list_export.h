// A manifest -> the published four-column list with one .avi and one .wav for each clip.
//
// DIR/<list>.csv                 `tag,<id>.avi,frames,unit ids`; written last, whole or not at all
// DIR/<tag>/<id>.avi             grey FFV1, 96 x 96 pixels at 25 frames a second: nothing is lost
// DIR/<tag>/<id>.wav             16 kHz mono, 640 samples a frame, as exact as they were
// DIR/<list>.skipped.tsv         clips that could not be read: id, reason, message
// DIR/exported.tsv               what is there, so that a further call goes on
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "raven/data/manifest.h"
#include "raven/data/verification.h"
#include "raven/text/tokenizer.h"

namespace raven::data {

struct ExportOptions {
  std::filesystem::path output;
  std::string tag;           // of every line; empty: the source of each (kPublishedTags)
  bool labels = true;        // false: the last column is empty
  std::int64_t workers = 0;  // threads; 0: usable_processors()
};

/// Tags that the published loader knows; a source of the same name, or "voxceleb2", becomes one.
inline const std::vector<std::string> kPublishedTags = {"lrs3", "lrs2", "vox2"};

struct ExportSummary {
  std::filesystem::path list;
  std::int64_t written = 0, kept = 0;  // clips of this call, and of earlier ones
  std::int64_t without_video = 0, without_sound = 0, without_labels = 0;
  std::int64_t frames = 0;
  std::vector<Problem> skipped;  // clips that could not be read
  bool stopped = false;          // before everything was done; there is no list then
};

/// Called on the calling thread with how many clips are done.
using ExportProgress = std::function<void(std::int64_t done)>;

/// Each file is whole or absent at any moment, and a killed call goes on where it was. `tokenizer`
/// makes unit ids of transcripts; null where the manifest has unit ids already, or none are wanted.
/// Throws ConfigError (no vocabulary for transcripts, a source without a tag, a folder that holds
/// clips of another list under the same names, or is in use), DataError for ids that cannot name a
/// file or stand in a list, and SystemError (disk full, read-only folder, ...).
ExportSummary export_list(const Manifest& manifest, const text::Tokenizer* tokenizer,
                          const ExportOptions& options, const std::stop_token& stop = {},
                          const ExportProgress& progress = {});

}  // namespace raven::data
