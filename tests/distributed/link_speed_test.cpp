#include "raven/distributed/link_speed.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "raven/core/error.h"

namespace raven::distributed {
namespace {

/// Whose sums take some time each, and which counts them.
class SlowRank : public OneRank {
 public:
  explicit SlowRank(std::chrono::milliseconds each) : each_(each) {}
  void sum(const std::vector<torch::Tensor>& tensors) override {
    bytes += static_cast<std::int64_t>(tensors.front().nbytes());
    std::this_thread::sleep_for(each_);
  }
  std::int64_t bytes = 0;

 private:
  std::chrono::milliseconds each_;
};

TEST(TimeSums, TimesEachButTheFirst) {
  SlowRank ranks(std::chrono::milliseconds(5));
  const auto seconds = time_sums(ranks, {.bytes = 64, .most = 4}, torch::kCPU);
  ASSERT_EQ(seconds.size(), 4U);
  for (const auto one : seconds) EXPECT_GE(one, 0.005);
  EXPECT_EQ(ranks.bytes, 5 * 64);
}

TEST(TimeSums, EndsWhenItHasTimedForLongEnough) {
  SlowRank ranks(std::chrono::milliseconds(30));
  const auto seconds = time_sums(ranks, {.bytes = 8, .most = 1000, .enough_s = 0.05}, torch::kCPU);
  EXPECT_GE(seconds.size(), 1U);
  EXPECT_LE(seconds.size(), 2U);
  EXPECT_THROW(time_sums(ranks, {.bytes = 6}, torch::kCPU), InternalError);
}

TEST(Quantile, IsAValueThatWasMeasured) {
  const std::vector<double> seconds = {5, 1, 4, 2, 3};
  EXPECT_EQ(quantile(seconds, 0.5), 3);
  EXPECT_EQ(quantile(seconds, 0.95), 5);
  EXPECT_EQ(quantile(seconds, 0), 1);
  EXPECT_EQ(quantile({7}, 0.95), 7);
  EXPECT_THROW(quantile({}, 0.5), InternalError);
}

}  // namespace
}  // namespace raven::distributed
