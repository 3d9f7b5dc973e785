// Clips and speakers that two lists share: what a model was trained on must not tell how good it
// is.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "raven/data/manifest.h"

namespace raven::data {

/// By what a clip was found in the other list, the first that applies.
enum class SharedBy { kId, kVideo, kAudio };

struct SharedClip {
  SharedBy by = SharedBy::kId;
  const Utterance* here = nullptr;   // of the list that was looked through
  const Utterance* there = nullptr;  // of the list that must not be in it
};

struct Overlap {
  std::array<std::int64_t, 3> clips{};  // of the list that was looked through, by SharedBy
  std::vector<SharedClip> examples;     // the first few
  std::vector<std::string> speakers;    // that both lists name, in alphabetical order
  bool speakers_known = false;          // both name some; else none could be compared
  std::int64_t unreadable = 0;  // clips of either, of which no more than the id was compared

  [[nodiscard]] std::int64_t total() const { return clips[0] + clips[1] + clips[2]; }
};

/// Looks through `manifest` for clips of `kept`, by id and by what their files hold; both must
/// outlive the result. Members of a shard with an index are compared by its sizes and checksums.
/// Other files are read only where sizes agree: a few bytes from the middle, and all of those that
/// agree there. Memory follows `kept` and one shard's index, not `manifest`.
Overlap overlap(const Manifest& manifest, const Manifest& kept);

}  // namespace raven::data
