// What clips with and without pictures have in common: their transcript and how they are cut.
#pragma once

#include <string>
#include <vector>

#include "corpus/grid_sentence.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/corpus/segments.h"
#include "raven/corpus/source_clip.h"
#include "raven/corpus/transcript.h"

namespace raven::corpus {

/// What the layout knows where there is no file. Throws DataError ("text", "too-large").
inline Transcript read_transcript(const SourceClip& clip) {
  constexpr std::uint64_t kMaxTextBytes = 1ULL << 20;
  if (clip.text.empty()) return {.text = clip.sentence, .words = {}};
  const auto content = read_file(clip.text, kMaxTextBytes);
  return clip.text.extension() == kAlignEnding ? parse_align(content, clip.text.string())
                                               : parse_transcript(content, clip.text.string());
}

/// Of piece `number` of `count`.
inline std::string piece_id(const SourceClip& clip, std::size_t number, std::size_t count) {
  return count == 1 ? clip.id : fmt::format("{}_{:02}", clip.id, number);
}

/// What became of a clip that was cut.
inline std::string pieces_remark(const std::vector<Segment>& pieces, const Transcript& transcript) {
  const bool lost = !transcript.text.empty() && pieces.front().text.empty();
  return fmt::format("cut into {} pieces{}", pieces.size(),
                     lost ? " without text, because the words have no times" : "");
}

}  // namespace raven::corpus
