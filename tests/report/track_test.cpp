#include "report/track.h"

#include <gtest/gtest.h>

#include <cmath>

namespace raven::report {
namespace {

TEST(Track, KeepsFewPointsAsTheyAre) {
  Track track(4);
  for (int i = 1; i <= 4; ++i) ASSERT_TRUE(track.add(i, 10 * i));
  ASSERT_EQ(track.buckets().size(), 4U);
  EXPECT_FALSE(track.thinned());
  EXPECT_EQ(track.buckets()[2].step(), 3);
  EXPECT_EQ(track.buckets()[2].mean(), 30);
}

TEST(Track, MergesNeighboursWhenFull) {
  Track track(4);
  for (int i = 1; i <= 5; ++i) track.add(i, i == 2 ? 100 : i);
  // 1 and 2, 3 and 4 were merged when 5 came.
  ASSERT_EQ(track.buckets().size(), 3U);
  EXPECT_TRUE(track.thinned());
  EXPECT_EQ(track.buckets()[0].mean(), 50.5);
  EXPECT_EQ(track.buckets()[0].highest, 100);
  EXPECT_EQ(track.buckets()[0].lowest, 1);
  EXPECT_EQ(track.buckets()[1].step(), 3.5);
  EXPECT_EQ(track.buckets()[2].count, 1);
}

TEST(Track, AMillionPointsStayFewAndLoseNothing) {
  Track track;
  double sum = 0;
  for (int i = 1; i <= 1'000'000; ++i) {
    const double value = i == 777'777 ? 9 : std::sin(i);
    sum += value;
    track.add(i, value);
  }
  EXPECT_LE(track.buckets().size(), 600U);
  EXPECT_GE(track.buckets().size(), 290U);
  double total = 0, highest = 0, last_step = 0;
  std::int64_t count = 0;
  for (const auto& bucket : track.buckets()) {
    EXPECT_GT(bucket.first_step, last_step);
    last_step = bucket.last_step;
    total += bucket.sum;
    count += bucket.count;
    highest = std::max(highest, bucket.highest);
  }
  EXPECT_EQ(count, 1'000'000);
  EXPECT_EQ(last_step, 1'000'000);
  EXPECT_NEAR(total, sum, 1e-6);
  EXPECT_EQ(highest, 9);
  EXPECT_EQ(track.highest().step, 777'777);
  EXPECT_EQ(track.first().step, 1);
  EXPECT_EQ(track.last().step, 1'000'000);
}

TEST(Track, RefusesWhatIsNoPointOfACurve) {
  Track track;
  EXPECT_FALSE(track.add(1, NAN));
  EXPECT_FALSE(track.add(NAN, 1));
  EXPECT_FALSE(track.add(1, INFINITY));
  EXPECT_FALSE(track.add(1, 1e101));
  EXPECT_FALSE(track.add(1e16, 1));
  EXPECT_TRUE(track.empty());
  EXPECT_TRUE(track.add(5, 1));
  EXPECT_FALSE(track.add(5, 2));
  EXPECT_FALSE(track.add(4, 2));
  EXPECT_EQ(track.count(), 1);
}

TEST(Track, MeanOfAPart) {
  Track track;
  for (int i = 0; i < 10; ++i) track.add(i, i);
  EXPECT_EQ(track.mean(0, 1), 4.5);
  EXPECT_EQ(track.mean(0.9, 1), 9);
  EXPECT_EQ(track.mean(0, 0.2), 0.5);
  Track one;
  one.add(1, 3);
  EXPECT_EQ(one.mean(0.1, 1), 3);
  EXPECT_EQ(one.mean(0.95, 1), 3);
}

}  // namespace
}  // namespace raven::report
