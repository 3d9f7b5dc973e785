#include "raven/data/span_mask.h"

#include <gtest/gtest.h>

#include <numeric>

namespace raven::data {
namespace {

using config::MaskSampler;

std::vector<Random> streams(std::size_t count, std::uint64_t seed) {
  std::vector<Random> all;
  for (std::size_t b = 0; b < count; ++b) all.emplace_back(seed, 0, b, Draw::kAudioMask);
  return all;
}

TEST(SpanMask, HoldsForEveryShortLengthAndOption) {
  for (const auto sampler : {MaskSampler::kSpans, MaskSampler::kBernoulliStart}) {
    for (const double prob : {0.0, 0.2, 0.5, 1.0}) {
      for (std::int64_t length = 1; length <= 12; ++length) {
        for (std::int64_t frames = 1; frames <= 16; ++frames) {
          for (std::uint64_t seed = 0; seed < 20; ++seed) {
            Random random(seed);
            std::vector<std::uint8_t> masked(static_cast<std::size_t>(frames), 9);
            const auto count =
                mask_row({.sampler = sampler, .prob = prob, .length = length}, random, masked);
            ASSERT_EQ(count, std::accumulate(masked.begin(), masked.end(), std::int64_t{0}));
            ASSERT_LT(count, frames) << "nothing is left to see";
            if (sampler == MaskSampler::kSpans && prob > 0 && frames > 1) {
              ASSERT_GT(count, 0) << frames << " frames, spans of " << length;
            }
            if (prob == 0) ASSERT_EQ(count, 0);
          }
        }
      }
    }
  }
}

TEST(SpanMask, RowsOfABatchHideEquallyMany) {
  const std::vector<std::int64_t> lengths = {100, 80, 80, 57, 30};
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    auto random = streams(lengths.size(), seed);
    const auto masked = mask_rows({.prob = 0.3}, lengths, 100, random);
    std::vector<std::int64_t> counts;
    for (std::size_t b = 0; b < lengths.size(); ++b) {
      const auto row = masked.begin() + static_cast<std::ptrdiff_t>(b * 100);
      counts.push_back(std::accumulate(row, row + lengths[b], std::int64_t{0}));
      EXPECT_EQ(std::accumulate(row + lengths[b], row + 100, 0), 0);
    }
    EXPECT_GT(counts[0], 0);
    EXPECT_EQ(counts, std::vector<std::int64_t>(lengths.size(), counts[0]));
  }
}

TEST(SpanMask, AClipOfOneFrameDoesNotUncoverTheOthers) {
  const std::vector<std::int64_t> lengths = {50, 1};
  auto random = streams(2, 3);
  const auto masked = mask_rows({.prob = 0.3}, lengths, 50, random);
  EXPECT_GT(std::accumulate(masked.begin(), masked.begin() + 50, 0), 5);
  EXPECT_EQ(masked[50], 0);
}

TEST(SpanMask, ARowDrawsFromItsOwnStreamOnly) {
  // A first row that is trimmed to nothing less than its own count is the same beside any others.
  const SpanOptions options{.sampler = MaskSampler::kBernoulliStart, .prob = 0.2, .length = 3};
  auto alone = streams(1, 5), together = streams(3, 5);
  const std::vector<std::int64_t> one = {40}, three = {40, 33, 12};
  const auto a = mask_rows(options, one, 40, alone), b = mask_rows(options, three, 40, together);
  EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin()));
}

TEST(SpanMask, LongSpansComeInOnePiece) {
  Random random(1);
  std::vector<std::uint8_t> masked(200);
  const auto count = mask_row({.prob = 0.05, .length = 10}, random, masked);
  ASSERT_EQ(count, 10);
  const auto first = std::find(masked.begin(), masked.end(), 1);
  EXPECT_EQ(std::accumulate(first, first + 10, 0), 10);
}

TEST(SpanMask, ModalitiesMayDiffer) {
  config::MaskConfig config;
  config.prob = 0.2;
  config.audio_prob = 0.4;
  config.video_length = 5;
  EXPECT_EQ(video_spans(config).prob, 0.2);
  EXPECT_EQ(video_spans(config).length, 5);
  EXPECT_EQ(audio_spans(config).prob, 0.4);
  EXPECT_EQ(audio_spans(config).length, 3);
}

}  // namespace
}  // namespace raven::data
