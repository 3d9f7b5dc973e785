// Which frames the students are not shown (docs/method.md, section 3).
// Shapes: B utterances, T frames of the longest one.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "raven/config/pretrain_config.h"
#include "raven/core/random.h"

namespace raven::data {

/// What one modality's masks are drawn by.
struct SpanOptions {
  config::MaskSampler sampler = config::MaskSampler::kSpans;
  double prob = 0.2;  // spans: share covered; bernoulli_start: chance that a frame starts a span
  std::int64_t length = 3;  // frames of a span
};

SpanOptions video_spans(const config::MaskConfig& config);
SpanOptions audio_spans(const config::MaskConfig& config);

/// Masks one utterance of masked.size() frames; returns how many. At least one frame stays visible;
/// with kSpans at least one is masked, unless prob is 0 or there is only one frame.
std::int64_t mask_row(const SpanOptions& options, Random& random, std::span<std::uint8_t> masked);

/// Masks of a batch, (B, T) row-major, 1 = masked, 0 beyond an utterance's end. kSpans: every row
/// keeps as many masked frames as the row with the fewest (rows of one frame, which stay visible,
/// do not count). Row b draws from streams[b] alone.
std::vector<std::uint8_t> mask_rows(const SpanOptions& options,
                                    std::span<const std::int64_t> lengths, std::int64_t num_frames,
                                    std::span<Random> streams);

}  // namespace raven::data
