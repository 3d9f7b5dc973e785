// What a manifest lists, in numbers.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "raven/data/manifest.h"
#include "raven/text/units.h"

namespace raven::data {

/// How much of a list.
struct Extent {
  std::int64_t utterances = 0, frames = 0;
};

/// Utterances whose length in seconds is in [from_s, to_s).
struct LengthBin {
  std::int64_t from_s = 0, to_s = 0, utterances = 0;
};

struct ManifestStatistics {
  Extent all;
  std::int64_t shortest = 0, median = 0, longest = 0;  // frames
  // A film's own sound track is not looked for: it counts as one.
  std::int64_t with_video = 0, with_audio = 0;
  std::int64_t published_grey = 0;  // of those with video
  std::int64_t speakers = 0, with_text = 0, shards = 0;
  /// Of transcripts. Those of a published list are unit ids: without a vocabulary, ids are counted
  /// and no text is known of them.
  std::int64_t words = 0, characters = 0, distinct_words = 0, unit_ids = 0;
  std::vector<std::string> examples;               // transcripts, spread over the list
  std::map<std::string, Extent> subsets, sources;  // "" where a line does not say
  std::vector<LengthBin> lengths;                  // up to the longest

  [[nodiscard]] double hours() const;
};

/// `units`: turns the ids of a published list into text; null: they stay ids. Throws DataError
/// ("labels") for ids outside that vocabulary.
ManifestStatistics statistics_of(const Manifest& manifest, const text::Units* units = nullptr);

/// One JSON object.
std::string to_json(const ManifestStatistics& statistics);

/// Lines for people.
std::string to_text(const ManifestStatistics& statistics);

}  // namespace raven::data
