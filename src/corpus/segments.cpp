#include "raven/corpus/segments.h"

#include <algorithm>
#include <cmath>

#include "raven/core/error.h"
#include "raven/media/media.h"

namespace raven::corpus {
namespace {

constexpr auto kFramesPerSecond = static_cast<double>(media::kFrameRateHz);

/// Frames at the middle of the pauses between words, where `after` words were said.
struct Pause {
  std::int64_t frame = 0;
  std::size_t words_before = 0;
};

std::vector<Pause> pauses_of(const std::vector<TimedWord>& words) {
  std::vector<Pause> pauses;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const auto middle_s = (words[i - 1].end_s + words[i].start_s) / 2;
    pauses.push_back({.frame = std::llround(middle_s * kFramesPerSecond), .words_before = i});
  }
  return pauses;
}

std::string join(const std::vector<TimedWord>& words, std::size_t first, std::size_t last) {
  std::string text;
  for (auto i = first; i < last; ++i) {
    if (!text.empty()) text += ' ';
    text += words[i].word;
  }
  return text;
}

std::vector<Segment> cut_evenly(std::int64_t num_frames, std::int64_t max_frames) {
  const auto pieces = (num_frames + max_frames - 1) / max_frames;
  std::vector<Segment> segments;
  for (std::int64_t i = 0; i < pieces; ++i) {
    const auto first = i * num_frames / pieces, end = (i + 1) * num_frames / pieces;
    segments.push_back({.first_frame = first, .num_frames = end - first, .text = {}});
  }
  return segments;
}

}  // namespace

std::vector<Segment> cut_into_segments(std::int64_t num_frames, const Transcript& transcript,
                                       const SegmentLimits& limits) {
  RAVEN_CHECK(limits.min_frames >= 1 && limits.max_frames >= 2 * limits.min_frames,
              "limits {} to {}", limits.min_frames, limits.max_frames);
  if (num_frames <= limits.max_frames) {
    return {{.first_frame = 0, .num_frames = num_frames, .text = transcript.text}};
  }
  const auto& words = transcript.words;
  const auto pauses = pauses_of(words);
  std::vector<Segment> segments;
  std::int64_t first = 0;
  std::size_t first_word = 0;
  while (num_frames - first > limits.max_frames) {
    const auto last_allowed = std::min(first + limits.max_frames, num_frames - limits.min_frames);
    const auto cut = std::find_if(pauses.rbegin(), pauses.rend(), [&](const Pause& pause) {
      return pause.frame >= first + limits.min_frames && pause.frame <= last_allowed &&
             pause.words_before > first_word;
    });
    if (cut == pauses.rend()) return cut_evenly(num_frames, limits.max_frames);
    segments.push_back({.first_frame = first,
                        .num_frames = cut->frame - first,
                        .text = join(words, first_word, cut->words_before)});
    first = cut->frame;
    first_word = cut->words_before;
  }
  segments.push_back({.first_frame = first,
                      .num_frames = num_frames - first,
                      .text = join(words, first_word, words.size())});
  return segments;
}

}  // namespace raven::corpus
