#include "raven/core/processors.h"

#include <gtest/gtest.h>
#include <sched.h>

namespace raven {
namespace {

TEST(Processors, AreThoseOfTheAffinityMaskAndTheQuota) {
  EXPECT_EQ(usable_processors(64, {}), 64);
  EXPECT_EQ(usable_processors(64, 4), 4);
  EXPECT_EQ(usable_processors(64, 2.5), 3);
  EXPECT_EQ(usable_processors(64, 0.2), 1);
  EXPECT_EQ(usable_processors(2, 8), 2);
  EXPECT_EQ(usable_processors(2, 1e300), 2);
}

TEST(Processors, OfThisProcessFollowItsMask) {
  cpu_set_t before, one;
  ASSERT_EQ(::sched_getaffinity(0, sizeof(before), &before), 0);
  EXPECT_EQ(allowed_processors(), CPU_COUNT(&before));
  CPU_ZERO(&one);
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &before) && CPU_COUNT(&one) == 0) CPU_SET(i, &one);
  }
  ASSERT_EQ(::sched_setaffinity(0, sizeof(one), &one), 0);
  EXPECT_EQ(usable_processors(), 1);
  EXPECT_EQ(num_readers({}, 4), 1);
  EXPECT_EQ(num_readers(3, 4), 3);
  EXPECT_EQ(num_readers(0, 4), 0);
  ::sched_setaffinity(0, sizeof(before), &before);
}

}  // namespace
}  // namespace raven
