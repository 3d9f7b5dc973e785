#include "media/frame_clock.h"

#include <gtest/gtest.h>

#include "raven/core/error.h"

namespace raven::media {
namespace {

FrameClock clock_in_ms(const Limits& limits = {}) { return {{1, 1000}, {25, 1}, limits, "clip"}; }

TEST(FrameClock, FillsInMissingTimesAndDurations) {
  auto clock = clock_in_ms();
  EXPECT_EQ(clock.add(AV_NOPTS_VALUE, 0), 0);
  EXPECT_EQ(clock.add(AV_NOPTS_VALUE, 0), 40);
  EXPECT_EQ(clock.add(AV_NOPTS_VALUE, 100), 80);
  EXPECT_EQ(clock.add(AV_NOPTS_VALUE, 0), 180);
  EXPECT_EQ(clock.num_output_frames(), 6);  // 220 ms are 5.5 frames
}

TEST(FrameClock, DoesNotGoBack) {
  auto clock = clock_in_ms();
  clock.add(1000, 40);
  EXPECT_EQ(clock.add(1040, 40), 40);
  EXPECT_EQ(clock.add(1040, 40), 80);
  EXPECT_EQ(clock.add(-500, 40), 120);
}

TEST(FrameClock, ShowsAFrameThatStartsExactlyInTheMiddleOfATick) {
  const auto clock = clock_in_ms();
  EXPECT_TRUE(clock.starts_by(20, 0));
  EXPECT_FALSE(clock.starts_by(21, 0));
  EXPECT_TRUE(clock.starts_by(60, 1));
}

TEST(FrameClock, GivesAtLeastOneFrameButNoneOfNothing) {
  auto clock = clock_in_ms();
  EXPECT_EQ(clock.num_output_frames(), 0);
  clock.add(0, 1);
  EXPECT_EQ(clock.num_output_frames(), 1);
}

TEST(FrameClock, StopsAtTheDurationAllowed) {
  auto clock = clock_in_ms({.max_duration_s = 10});
  clock.add(0, 40);
  EXPECT_THROW(clock.add(20'000, 40), MediaError);
  EXPECT_THROW(clock.add(100, INT64_MAX), MediaError);
  EXPECT_THROW(clock.add(INT64_MAX, 40), MediaError);
}

TEST(FrameClock, SurvivesTimesThatOverflow) {
  auto clock = clock_in_ms();
  clock.add(INT64_MIN + 1, 40);
  EXPECT_THROW(clock.add(INT64_MAX, 40), MediaError);
}

TEST(FrameClock, RefusesMoreThanAThousandFramesASecond) {
  FrameClock clock({1, 1'000'000}, {0, 1}, {}, "clip");
  std::int64_t added = 0;
  EXPECT_THROW(for (; added < 100'000; ++added) clock.add(added, 1), MediaError);
  EXPECT_LT(added, 1100);
}

}  // namespace
}  // namespace raven::media
