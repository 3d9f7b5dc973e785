#include "raven/doctor/other_work.h"

#include <gmock/gmock.h>

#include <chrono>
#include <ctime>

#include "doctor/find.h"

namespace raven::doctor {
namespace {

using testing::HasSubstr;

constexpr const char* kStat =
    "cpu  1000 0 1000 9000 0 0 0 0 0 0\n"
    "cpu0 100 20 30 4000 500 6 7 8 0 0\n"
    "cpu1 200 0 0 4000 500 0 0 0 0 0\n"
    "cpu11 999 0 0 0 0 0 0 0 0 0\n"
    "intr 1 2 3\n";

TEST(OtherWork, CountsBusyTimeOfTheCoresThatMayBeUsed) {
  EXPECT_DOUBLE_EQ(parse_busy_seconds(kStat, {0}, 100), 1.71);  // 100 + 20 + 30 + 6 + 7 + 8
  EXPECT_DOUBLE_EQ(parse_busy_seconds(kStat, {0, 1}, 100), 3.71);
  EXPECT_DOUBLE_EQ(parse_busy_seconds(kStat, {5}, 100), 0);
  EXPECT_DOUBLE_EQ(parse_busy_seconds("cpu0 1 2\ncpu1\n\n", {0, 1}, 100), 0);
}

TEST(OtherWork, IsNamedWhereThreadsHaveToShareCores) {
  EXPECT_EQ(other_work_text(1.0, 2, 2), "other programs keep 1.0 of 2 cores busy");
  EXPECT_EQ(other_work_text(1.0, 2, 1), "");   // a core is left for the one thread
  EXPECT_EQ(other_work_text(0.2, 2, 2), "");   // what a quiet system does
  EXPECT_EQ(other_work_text(40, 64, 16), "");  // a large machine with room
  EXPECT_NE(other_work_text(60, 64, 16), "");
  EXPECT_NE(other_work_text(1.0, 1, 8), "");  // more threads than cores
}

TEST(OtherWork, IsAWarningWithARemedy) {
  const auto busy = check_other_work(1.5, 2, 2);
  EXPECT_EQ(level(busy, "cpu.other_work"), Level::kWarning);
  EXPECT_THAT(find(busy, "cpu.other_work").what, HasSubstr("1.5 of 2 cores"));
  expect_explained(busy);
  EXPECT_EQ(level(check_other_work(0.1, 2, 2), "cpu.other_work"), Level::kOk);
  EXPECT_TRUE(check_other_work(std::nullopt, 2, 2).empty());  // the system does not tell
}

TEST(OtherWork, DoesNotCountThisProcess) {
  using Clock = std::chrono::steady_clock;
  const OtherWork measured;
  const auto begin = Clock::now();
  const auto own_begin = std::clock();
  volatile double sink = 0;
  while (Clock::now() < begin + std::chrono::milliseconds(400)) sink = sink + 1;
  const auto taken = measured.cores_taken();
  const double wall_s = std::chrono::duration<double>(Clock::now() - begin).count();
  const double own = static_cast<double>(std::clock() - own_begin) / CLOCKS_PER_SEC / wall_s;
  ASSERT_TRUE(taken.has_value());
  EXPECT_LE(*taken, static_cast<double>(measured.cores()) - own + 0.1);  // 0.1: /proc/stat's ticks
}

}  // namespace
}  // namespace raven::doctor
