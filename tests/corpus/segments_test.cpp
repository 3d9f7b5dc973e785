#include "raven/corpus/segments.h"

#include <gtest/gtest.h>

namespace raven::corpus {
namespace {

constexpr SegmentLimits kLimits{.min_frames = 5, .max_frames = 50};

/// Words of 0.4 s that start every 0.8 s: pauses are at frames 15, 35, 55, ...
Transcript regular_words(int count) {
  Transcript transcript;
  for (int i = 0; i < count; ++i) {
    const double start_s = 0.8 * i;
    transcript.words.push_back(
        {.word = "W" + std::to_string(i), .start_s = start_s, .end_s = start_s + 0.4});
    transcript.text += (i == 0 ? "W" : " W") + std::to_string(i);
  }
  return transcript;
}

void expect_whole(const std::vector<Segment>& segments, std::int64_t num_frames) {
  std::int64_t next = 0;
  for (const auto& segment : segments) {
    EXPECT_EQ(segment.first_frame, next);
    EXPECT_GE(segment.num_frames, kLimits.min_frames);
    EXPECT_LE(segment.num_frames, kLimits.max_frames);
    next += segment.num_frames;
  }
  EXPECT_EQ(next, num_frames);
}

TEST(Segments, ShortClipsStayWhole) {
  const auto segments = cut_into_segments(50, regular_words(2), kLimits);
  ASSERT_EQ(segments.size(), 1U);
  EXPECT_EQ(segments[0].num_frames, 50);
  EXPECT_EQ(segments[0].text, "W0 W1");
}

TEST(Segments, CutsInThePausesBetweenWords) {
  const auto segments = cut_into_segments(100, regular_words(5), kLimits);
  expect_whole(segments, 100);
  ASSERT_EQ(segments.size(), 3U);
  EXPECT_EQ(segments[0].num_frames, 35);
  EXPECT_EQ(segments[0].text, "W0 W1");
  EXPECT_EQ(segments[1].text, "W2 W3");
  EXPECT_EQ(segments[1].num_frames, 40);
  EXPECT_EQ(segments[2].text, "W4");
}

TEST(Segments, LeavesNoPieceThatIsTooShort) {
  const auto segments =
      cut_into_segments(53, regular_words(3), kLimits);  // a cut at 50 would leave 3 frames
  expect_whole(segments, 53);
  EXPECT_EQ(segments[0].num_frames, 35);
}

TEST(Segments, CutsEvenlyWithoutWordTimes) {
  const auto segments = cut_into_segments(101, {.text = "SOMETHING SAID", .words = {}}, kLimits);
  expect_whole(segments, 101);
  ASSERT_EQ(segments.size(), 3U);
  for (const auto& segment : segments) {
    EXPECT_NEAR(static_cast<double>(segment.num_frames), 101.0 / 3, 1);
    EXPECT_EQ(segment.text, "");
  }
}

TEST(Segments, CutsEvenlyWhereNoPauseFits) {
  Transcript one_long_word{.text = "A B", .words = {{"A", 0, 9}, {"B", 9, 9.5}}};
  const auto segments = cut_into_segments(240, one_long_word, kLimits);
  expect_whole(segments, 240);
  EXPECT_EQ(segments.size(), 5U);
  EXPECT_EQ(segments[0].text, "");
}

TEST(Segments, ForEveryLength) {
  for (std::int64_t num_frames = 51; num_frames < 400; ++num_frames) {
    expect_whole(
        cut_into_segments(num_frames, regular_words(static_cast<int>(num_frames / 20)), kLimits),
        num_frames);
    expect_whole(cut_into_segments(num_frames, {}, kLimits), num_frames);
  }
}

}  // namespace
}  // namespace raven::corpus
