// Long clips are cut into several utterances.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "raven/corpus/transcript.h"

namespace raven::corpus {

struct Segment {
  std::int64_t first_frame = 0, num_frames = 0;
  std::string text;
};

struct SegmentLimits {
  std::int64_t min_frames = 12, max_frames = 600;  // 25 frames a second; max_frames >= 2 min_frames
};

/// A clip of at most `max_frames` stays whole. A longer one is cut in the pauses between words,
/// each piece as long as allowed, and a piece's text is its words; without word times it is cut
/// into pieces of equal length (within a frame), which have no text because it is not known
/// where it belongs.
std::vector<Segment> cut_into_segments(std::int64_t num_frames, const Transcript& transcript,
                                       const SegmentLimits& limits);

}  // namespace raven::corpus
