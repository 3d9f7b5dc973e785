#include "raven/core/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace raven {
namespace {

TEST(Random, FollowsSplitmix64) {
  Random random(0);  // reference values of the published splitmix64 with seed 0
  EXPECT_EQ(random.bits(), 0xE220A8397B1DCDAFULL);
  EXPECT_EQ(random.bits(), 0x6E789E6AA1B965F4ULL);
  EXPECT_EQ(random.bits(), 0x06C45D188009454FULL);
}

TEST(Random, GivesEachItemAStreamOfItsOwn) {
  std::set<std::uint64_t> first;
  for (std::uint64_t epoch = 0; epoch < 10; ++epoch) {
    for (std::uint64_t item = 0; item < 100; ++item) {
      for (const auto draw : {Draw::kCrop, Draw::kVideoMask, Draw::kAudioMask}) {
        first.insert(Random(7, epoch, item, draw).bits());
      }
    }
  }
  EXPECT_EQ(first.size(), 3000U);
}

TEST(Random, DrawsBelowEvenly) {
  Random random(3);
  int counts[3] = {};
  for (int i = 0; i < 30000; ++i) ++counts[random.below(3)];
  for (const int count : counts) EXPECT_NEAR(count, 10000, 5 * std::sqrt(30000 * 2.0 / 9));
}

TEST(Random, DrawsNormalsOfUnitSpread) {
  Random random(4);
  double sum = 0, squares = 0;
  for (int i = 0; i < 40000; ++i) {
    const double x = random.normal();
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / 40000, 0, 0.025);
  EXPECT_NEAR(squares / 40000, 1, 0.04);
}

TEST(Random, PermutesEveryElementOnce) {
  auto order = Random(5).permutation(50);
  EXPECT_EQ(std::set<std::int64_t>(order.begin(), order.end()).size(), 50U);
  EXPECT_NE(order, Random(6).permutation(50));
  EXPECT_EQ(order, Random(5).permutation(50));
}

}  // namespace
}  // namespace raven
