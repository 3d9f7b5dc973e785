#include "data/ordered_work.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <stdexcept>

namespace raven::data {
namespace {

TEST(OrderedWork, TakesResultsInOrderWhateverTheirDuration) {
  for (const std::int64_t workers : {1, 2, 8}) {
    std::vector<std::int64_t> taken;
    const bool complete = for_each_in_order(
        100, workers, {},
        [](std::int64_t i) {
          if (i % 7 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
          return 10 * i;
        },
        [&](std::int64_t i, std::int64_t result) {
          EXPECT_EQ(result, 10 * i);
          taken.push_back(i);
        });
    EXPECT_TRUE(complete);
    std::vector<std::int64_t> wanted(100);
    std::iota(wanted.begin(), wanted.end(), 0);
    EXPECT_EQ(taken, wanted);
  }
}

TEST(OrderedWork, DoesNotRunAheadOfTheConsumer) {
  std::atomic<std::int64_t> started = 0;
  for_each_in_order(
      100, 2, {}, [&](std::int64_t i) { return ++started, i; },
      [&](std::int64_t i, std::int64_t) { EXPECT_LE(started.load(), i + 1 + 8); });
  EXPECT_EQ(started.load(), 100);
}

TEST(OrderedWork, ThrowsTheFirstErrorOfEitherSide) {
  const auto work = [](std::int64_t i) {
    if (i == 5) throw std::runtime_error("work");
    return i;
  };
  EXPECT_THROW(for_each_in_order(100, 3, {}, work, [](std::int64_t, std::int64_t) {}),
               std::runtime_error);
  const auto take = [](std::int64_t i, std::int64_t) {
    if (i == 50) throw std::logic_error("take");
  };
  EXPECT_THROW(for_each_in_order(
                   100, 3, {}, [](std::int64_t i) { return i; }, take),
               std::logic_error);
}

TEST(OrderedWork, StopsWhenAsked) {
  std::stop_source stop;
  std::int64_t taken = 0;
  const bool complete = for_each_in_order(
      1000, 2, stop.get_token(), [](std::int64_t i) { return i; },
      [&](std::int64_t i, std::int64_t) {
        ++taken;
        if (i == 20) stop.request_stop();
      });
  EXPECT_FALSE(complete);
  EXPECT_EQ(taken, 21);
}

TEST(OrderedWork, AStopMayBeAnExceptionOfTheWork) {
  std::stop_source stop;
  EXPECT_FALSE(for_each_in_order(
      100, 2, stop.get_token(),
      [&](std::int64_t i) {
        if (i == 7) {
          stop.request_stop();
          throw std::runtime_error("stopped");
        }
        return i;
      },
      [](std::int64_t, std::int64_t) {}));
}

TEST(OrderedWork, HasNothingToDo) {
  EXPECT_TRUE(for_each_in_order(
      0, 4, {}, [](std::int64_t i) { return i; }, [](std::int64_t, std::int64_t) { FAIL(); }));
}

}  // namespace
}  // namespace raven::data
