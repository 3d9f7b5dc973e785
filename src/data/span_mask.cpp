#include "raven/data/span_mask.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "raven/core/error.h"

namespace raven::data {
namespace {

void mask_span(std::span<std::uint8_t> masked, std::int64_t start, std::int64_t length) {
  const auto size = static_cast<std::int64_t>(masked.size());
  const auto end = std::min(size, start + length);
  for (auto t = start; t < end; ++t) masked[static_cast<std::size_t>(t)] = 1;
}

/// The published sampler: distinct starts, as many as cover about `prob` of the frames.
void mask_spans(const SpanOptions& options, Random& random, std::span<std::uint8_t> masked) {
  const auto size = static_cast<std::int64_t>(masked.size());
  const auto length = options.length;
  const auto wanted = options.prob * static_cast<double>(size) / static_cast<double>(length);
  const auto num_spans =
      std::max<std::int64_t>(1, static_cast<std::int64_t>(std::floor(wanted + random.uniform())));
  auto shortest = length;
  if (size - shortest <= num_spans) shortest = size - num_spans - 1;
  // The first `num_spans` of a shuffled list of starts, shuffled no further than that.
  std::vector<std::int64_t> starts(static_cast<std::size_t>(size - shortest));
  std::iota(starts.begin(), starts.end(), std::int64_t{0});
  for (std::int64_t k = 0; k < num_spans; ++k) {
    const auto other = k + random.below(static_cast<std::int64_t>(starts.size()) - k);
    std::swap(starts[static_cast<std::size_t>(k)], starts[static_cast<std::size_t>(other)]);
    mask_span(masked, starts[static_cast<std::size_t>(k)], length);
  }
}

void mask_bernoulli_starts(const SpanOptions& options, Random& random,
                           std::span<std::uint8_t> masked) {
  for (std::size_t t = 0; t < masked.size(); ++t) {
    if (random.chance(options.prob))
      mask_span(masked, static_cast<std::int64_t>(t), options.length);
  }
}

/// Shows masked frames again, chosen at random, until `count` are left.
void keep_masked(std::span<std::uint8_t> masked, std::int64_t count, Random& random) {
  std::vector<std::size_t> positions;
  for (std::size_t t = 0; t < masked.size(); ++t) {
    if (masked[t] != 0) positions.push_back(t);
  }
  random.shuffle(positions);
  for (auto k = static_cast<std::size_t>(count); k < positions.size(); ++k)
    masked[positions[k]] = 0;
}

}  // namespace

SpanOptions video_spans(const config::MaskConfig& config) {
  return {.sampler = config.sampler,
          .prob = config.video_prob.value_or(config.prob),
          .length = config.video_length.value_or(config.length)};
}

SpanOptions audio_spans(const config::MaskConfig& config) {
  return {.sampler = config.sampler,
          .prob = config.audio_prob.value_or(config.prob),
          .length = config.audio_length.value_or(config.length)};
}

std::int64_t mask_row(const SpanOptions& options, Random& random, std::span<std::uint8_t> masked) {
  RAVEN_CHECK(options.length >= 1 && options.prob >= 0 && options.prob <= 1,
              "mask of length {} with prob {}", options.length, options.prob);
  std::fill(masked.begin(), masked.end(), std::uint8_t{0});
  const auto size = static_cast<std::int64_t>(masked.size());
  if (size < 2 || options.prob <= 0) return 0;
  if (options.sampler == config::MaskSampler::kSpans) {
    mask_spans(options, random, masked);
  } else {
    mask_bernoulli_starts(options, random, masked);
  }
  auto count = static_cast<std::int64_t>(std::count(masked.begin(), masked.end(), std::uint8_t{1}));
  if (count == size) {  // a student that sees nothing learns nothing
    masked[static_cast<std::size_t>(random.below(size))] = 0;
    --count;
  }
  return count;
}

std::vector<std::uint8_t> mask_rows(const SpanOptions& options,
                                    std::span<const std::int64_t> lengths, std::int64_t num_frames,
                                    std::span<Random> streams) {
  RAVEN_CHECK(lengths.size() == streams.size(), "{} rows, {} streams", lengths.size(),
              streams.size());
  std::vector<std::uint8_t> masked(lengths.size() * static_cast<std::size_t>(num_frames), 0);
  const auto row = [&](std::size_t b) {
    RAVEN_CHECK(lengths[b] <= num_frames, "row of {} frames in a batch of {}", lengths[b],
                num_frames);
    return std::span(masked).subspan(b * static_cast<std::size_t>(num_frames),
                                     static_cast<std::size_t>(lengths[b]));
  };
  auto fewest = num_frames;
  std::vector<std::int64_t> counts(lengths.size());
  for (std::size_t b = 0; b < lengths.size(); ++b) {
    counts[b] = mask_row(options, streams[b], row(b));
    if (lengths[b] > 1) fewest = std::min(fewest, counts[b]);
  }
  if (options.sampler == config::MaskSampler::kSpans) {
    for (std::size_t b = 0; b < lengths.size(); ++b) {
      if (counts[b] > fewest) keep_masked(row(b), fewest, streams[b]);
    }
  }
  return masked;
}

}  // namespace raven::data
