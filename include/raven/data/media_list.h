// Media files without a manifest, as the list of utterances that a loader reads.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "raven/data/film_mouths.h"
#include "raven/data/loader.h"
#include "raven/data/manifest.h"

namespace raven::data {

struct MediaList {
  Manifest manifest;  // `file`: the folder of them all
  std::shared_ptr<SkipRecord> skips = std::make_shared<SkipRecord>();  // files that have no frames
};

/// How films that are no mouth crops become some.
struct FilmCrops {
  std::filesystem::path folder;  // gets <id>.npy of uint8 (T, 96, 96), once
  MouthSearch search;            // its name is that of the film
};

/// Mouth crops: media files of 96 x 96 pixels at any frame rate, or .npy of uint8 (T, 96, 96); with
/// `crops` any other film is cut first, and what was cut from a film that has not changed since is
/// kept. They are decoded once to count their frames. Ids are the files' names without their
/// ending, below the deepest folder that holds all of them. Files that cannot be read are listed in
/// `skips`. Throws ConfigError for a folder, a file that is not there, and two files of one id, and
/// faces::SearchStopped.
MediaList list_videos(const std::vector<std::filesystem::path>& files,
                      const FilmCrops* crops = nullptr);

/// The same for sound, from audio files or the tracks of videos; 640 samples a frame, a last part
/// of a frame is dropped.
MediaList list_sounds(const std::vector<std::filesystem::path>& files);

}  // namespace raven::data
