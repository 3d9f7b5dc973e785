#include "raven/core/bounded_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

namespace raven {
namespace {

TEST(BoundedQueue, KeepsOrderAndHoldsNoMoreThanItsCapacity) {
  BoundedQueue<int> queue(2);
  std::atomic<int> pushed{0};
  std::jthread producer([&] {
    for (int i = 0; i < 100; ++i) {
      queue.push(i);
      ++pushed;
    }
    queue.close();
  });
  for (int i = 0; i < 100; ++i) {
    EXPECT_LE(pushed, i + 3);  // two in the queue and one on its way
    EXPECT_EQ(queue.pop(), i);
  }
  EXPECT_EQ(queue.pop(), std::nullopt);
}

TEST(BoundedQueue, GivesWhatIsLeftAfterClose) {
  BoundedQueue<int> queue(4);
  queue.push(1);
  queue.close();
  EXPECT_FALSE(queue.push(2));
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_EQ(queue.pop(), std::nullopt);
}

TEST(BoundedQueue, CloseWakesProducersAndConsumers) {
  BoundedQueue<int> full(1), empty(1);
  full.push(0);
  std::jthread producer([&] { EXPECT_FALSE(full.push(1)); });
  std::jthread consumer([&] { EXPECT_EQ(empty.pop(), std::nullopt); });
  full.close();
  empty.close();
}

TEST(BoundedQueue, ThrowsTheFirstErrorAtTheConsumer) {
  BoundedQueue<int> queue(2);
  queue.push(1);
  queue.fail(std::make_exception_ptr(std::runtime_error("first")));
  queue.fail(std::make_exception_ptr(std::runtime_error("second")));
  EXPECT_THROW(
      try { queue.pop(); } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "first");
        throw;
      },
      std::runtime_error);
}

}  // namespace
}  // namespace raven
