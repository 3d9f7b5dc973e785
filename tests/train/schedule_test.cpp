#include "raven/train/schedule.h"

#include <gtest/gtest.h>

#include "raven/core/error.h"

namespace raven::train {
namespace {

TEST(LearningRate, FirstTwoStepsOfAWarmUpAreZero) {
  const LearningRate rate{
      .peak = 3e-3, .minimum = 1e-5, .length = {.steps = 1000, .warmup_steps = 100}};
  EXPECT_EQ(rate.at(0), 0.0);
  EXPECT_EQ(rate.at(1), 0.0);
  EXPECT_NEAR(rate.at(2), 3e-5, 1e-12);
  EXPECT_NEAR(rate.at(51), 1.5e-3, 1e-12);
  EXPECT_NEAR(rate.at(101), 3e-3, 1e-12);
  EXPECT_NEAR(rate.at(551), 1.505e-3, 1e-12);
}

TEST(LearningRate, StartsAtThePeakWithoutWarmUp) {
  const LearningRate rate{.peak = 1e-3, .minimum = 0, .length = {.steps = 10, .warmup_steps = 0}};
  EXPECT_EQ(rate.at(0), 1e-3);
  EXPECT_EQ(rate.at(1), 1e-3);
  EXPECT_LT(rate.at(2), 1e-3);
}

TEST(LearningRate, StaysAtTheMinimumWhenAllIsWarmUp) {
  const LearningRate rate{
      .peak = 1e-3, .minimum = 1e-5, .length = {.steps = 10, .warmup_steps = 10}};
  EXPECT_NEAR(rate.at(9), 0.8e-3, 1e-12);
  EXPECT_NEAR(rate.at(11), 1e-5, 1e-12);
}

TEST(Momentum, RisesToOneOrStaysConstant) {
  Momentum momentum{.start = 0.999, .schedule = config::MomentumSchedule::kCosine, .steps = 1000};
  EXPECT_EQ(momentum.at(0), 0.999);
  EXPECT_NEAR(momentum.at(500), 0.9995, 1e-12);
  EXPECT_NEAR(momentum.at(1000), 1.0, 1e-15);
  momentum.schedule = config::MomentumSchedule::kConstant;
  EXPECT_EQ(momentum.at(999), 0.999);
}

TEST(RunLength, CountsEpochsInStepsOfAccumulatedBatches) {
  config::TrainConfig train;
  config::OptimizerConfig optimizer;
  train.epochs = 3;
  train.accumulate = 4;
  optimizer.warmup_epochs = 1;
  const auto length = RunLength::of(train, optimizer, 40);
  EXPECT_EQ(length.steps, 30);
  EXPECT_EQ(length.warmup_steps, 10);
}

TEST(RunLength, StepsGivenInTheConfigurationWin) {
  config::TrainConfig train;
  config::OptimizerConfig optimizer;
  train.steps = 7;
  optimizer.warmup_steps = 2;
  const auto length = RunLength::of(train, optimizer, 1000);
  EXPECT_EQ(length.steps, 7);
  EXPECT_EQ(length.warmup_steps, 2);
}

TEST(RunLength, RefusesAWarmUpLongerThanTheRun) {
  config::TrainConfig train;
  config::OptimizerConfig optimizer;
  train.steps = 7;
  optimizer.warmup_epochs = 40;
  EXPECT_THROW(RunLength::of(train, optimizer, 10), ConfigError);
}

TEST(Momentum, OfTheReleasedScheduleIsBackAtTheEnd) {
  const Momentum momentum{
      .start = 0.999, .schedule = config::MomentumSchedule::kReleased, .steps = 100};
  EXPECT_DOUBLE_EQ(momentum.at(0), 0.999);
  EXPECT_NEAR(momentum.at(25), 0.9995, 1e-12);
  EXPECT_NEAR(momentum.at(50), 1, 1e-12);
  EXPECT_NEAR(momentum.at(75), 0.9995, 1e-12);
  EXPECT_NEAR(momentum.at(100), 0.999, 1e-12);
}

}  // namespace
}  // namespace raven::train
