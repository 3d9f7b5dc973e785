// From the bytes of a text file to the pieces of a clip.
#include "raven/corpus/transcript.h"

#include <cstddef>
#include <cstdint>

#include "raven/core/error.h"
#include "raven/core/utf8.h"
#include "raven/corpus/segments.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace raven::corpus;
  const std::string_view content(reinterpret_cast<const char*>(data), size);
  if (!raven::is_utf8(raven::printable(content))) __builtin_trap();
  try {
    const auto transcript = parse_transcript(content, "fuzz");
    constexpr SegmentLimits kLimits{.min_frames = 5, .max_frames = 50};
    const auto num_frames = static_cast<std::int64_t>(size % 500 + 5);
    std::int64_t next = 0;
    for (const auto& segment : cut_into_segments(num_frames, transcript, kLimits)) {
      if (segment.first_frame != next || segment.num_frames < 1 ||
          segment.num_frames > kLimits.max_frames) {
        __builtin_trap();
      }
      next += segment.num_frames;
    }
    if (next != num_frames) __builtin_trap();
  } catch (const raven::DataError&) {
  }
  return 0;
}
