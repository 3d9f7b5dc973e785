#include "raven/nn/dropout_seed.h"

#include <gtest/gtest.h>

#include "nn/cuda/dropout.h"
#include "raven/core/error.h"

namespace raven::nn {
namespace {

class DropoutSeedTest : public testing::Test {
 protected:
  void SetUp() override { enable_dropout_seeds(true); }
  void TearDown() override { enable_dropout_seeds(false); }
};

TEST_F(DropoutSeedTest, IsDrawnForEveryCallWhereNoneIsGiven) {
  torch::manual_seed(3);
  const auto first = cuda::draw_dropout(0.1), second = cuda::draw_dropout(0.1);
  EXPECT_NE(first.seed, second.seed);
  torch::manual_seed(3);
  EXPECT_EQ(cuda::draw_dropout(0.2).seed, first.seed);
  EXPECT_EQ(first.options().seed_of_step, nullptr);
  torch::autograd::AutogradContext context;
  first.save(context);
  EXPECT_EQ(cuda::DropoutDraw::saved(context).options().seed, first.seed);
  EXPECT_EQ(cuda::DropoutDraw::saved(context).options().seed_of_step, nullptr);
}

TEST_F(DropoutSeedTest, IsReadWhereItLiesAndCallsAreCounted) {
  const auto seed = torch::tensor({4, 5}, torch::kInt64);
  for (int step = 0; step < 2; ++step) {
    const DropoutSeed scope(seed[1]);
    EXPECT_EQ(cuda::draw_dropout(0.1).options().call, 0U);
    EXPECT_EQ(cuda::draw_dropout(0).options().rate, 0);
    const auto options = cuda::draw_dropout(0.1).options();
    EXPECT_EQ(options.call, 1U) << "a call that drops nothing is none";
    EXPECT_EQ(*options.seed_of_step, 5U);
  }
  EXPECT_EQ(cuda::draw_dropout(0.1).options().seed_of_step, nullptr);
}

TEST_F(DropoutSeedTest, IsKeptForTheWayBack) {
  torch::autograd::AutogradContext context;
  const auto seed = torch::tensor(6, torch::kInt64);
  const DropoutSeed scope(seed);
  cuda::draw_dropout(0.1);
  cuda::draw_dropout(0.3).save(context);
  const auto options = cuda::DropoutDraw::saved(context).options();
  EXPECT_EQ(options.rate, 0.3);
  EXPECT_EQ(options.call, 1U);
  EXPECT_EQ(*options.seed_of_step, 6U);
}

TEST_F(DropoutSeedTest, DoesNothingWhileSwitchedOff) {
  enable_dropout_seeds(false);
  const DropoutSeed scope(torch::tensor(6, torch::kInt64));
  EXPECT_EQ(cuda::draw_dropout(0.1).options().seed_of_step, nullptr);
}

TEST_F(DropoutSeedTest, IsOneNumberAndTheOnlyOne) {
  EXPECT_THROW(DropoutSeed(torch::tensor({1, 2}, torch::kInt64)), InternalError);
  const DropoutSeed scope(torch::tensor(6, torch::kInt64));
  EXPECT_THROW(DropoutSeed(torch::tensor(6, torch::kInt64)), InternalError);
}

}  // namespace
}  // namespace raven::nn
