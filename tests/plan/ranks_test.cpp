#include "raven/plan/ranks.h"

#include <gtest/gtest.h>

#include "raven/core/error.h"
#include "raven/plan/plan.h"

namespace raven::plan {
namespace {

using config::BatchStatistics;
using config::FinetuneConfig;
using config::PretrainConfig;

constexpr double kMs = 1e-3;

/// RAVEn Base at 24,000 frames/s, as docs/scaling.md has it.
constexpr StepWork kBase{.batches = 32, .batch_s = 0.1};
constexpr Exchange kOfBase{.gradient_bytes = 4 * 119'630'400.0, .batch_norm_sums = 400};

TEST(StepOfRanks, IsThatOfTheTablesOnPaper) {
  const auto& fast = stated_links()[0];
  const auto& slow = stated_links()[2];
  const auto alone = step_of_ranks(kBase, kOfBase, 1, fast);
  EXPECT_NEAR(alone.seconds(), 3.2, 1e-9);
  EXPECT_EQ(alone.efficiency, 1);
  EXPECT_NEAR(step_of_ranks(kBase, kOfBase, 8, fast).seconds(), 456 * kMs, 0.5 * kMs);
  EXPECT_NEAR(step_of_ranks(kBase, kOfBase, 8, fast).efficiency, 0.88, 0.005);
  EXPECT_NEAR(step_of_ranks(kBase, kOfBase, 16, fast).seconds(), 248 * kMs, 0.5 * kMs);
  EXPECT_NEAR(step_of_ranks(kBase, kOfBase, 8, slow).seconds(), 1423 * kMs, 0.5 * kMs);
  EXPECT_NEAR(step_of_ranks(kBase, kOfBase, 8, slow).efficiency, 0.28, 0.005);
}

TEST(StepOfRanks, HidesSumsBehindTheLastBackward) {
  const auto link = link_of(/*gbit_per_s=*/8, /*latency_s=*/0);  // 1e9 bytes a second
  const auto step =
      step_of_ranks({.batches = 4, .batch_s = 0.3}, {.gradient_bytes = 0.5e9}, 2, link);
  EXPECT_NEAR(step.sums_s, 0.5, 1e-9);
  EXPECT_NEAR(step.exposed_s, 0.3, 1e-9);
  EXPECT_EQ(step.batch_norm_s, 0);
  EXPECT_NEAR(step.seconds(), 0.9, 1e-9);
  EXPECT_NEAR(step.efficiency, 0.6 / 0.9, 1e-9);
}

TEST(StepOfRanks, CountsSharesThatAreNotEqual) {
  const auto link = link_of(1e6, 0);
  const auto step = step_of_ranks({.batches = 5, .batch_s = 1}, {}, 4, link);
  EXPECT_EQ(step.rounds, 2);
  EXPECT_NEAR(step.efficiency, 5.0 / 8, 1e-9);
  EXPECT_NEAR(step_of_ranks({.batches = 1, .batch_s = 1}, {}, 4, link).efficiency, 0.25, 1e-9);
  EXPECT_THROW(step_of_ranks({}, {}, 0, link), InternalError);
}

TEST(ExchangeOf, BaseIsItsStudentsGradients) {
  const auto networks = networks_of(PretrainConfig{}, 0, {}, {});
  const auto all = exchange_of(networks, BatchStatistics::kAll);
  EXPECT_EQ(all.gradient_bytes, 4 * 119'630'400.0);
  // 20 norms of a frontend and 12 of a trunk, for each modality; 6 of predictors' blocks.
  EXPECT_EQ(all.batch_norm_sums, 3 * (2 * (20 + 12) + 6) + 2 * 2 * (20 + 12));
  const auto own = exchange_of(networks, BatchStatistics::kOwn);
  EXPECT_EQ(own.gradient_bytes, 8 * 119'630'400.0);
  EXPECT_EQ(own.batch_norm_sums, 0);
  PretrainConfig still;
  still.teacher.batch_norm = config::BatchNormMode::kEval;
  EXPECT_EQ(exchange_of(networks_of(still, 0, {}, {}), BatchStatistics::kAll).batch_norm_sums,
            3 * (2 * (20 + 12) + 6));
}

TEST(ExchangeOf, FineTuningLeavesFrozenPartsOut) {
  FinetuneConfig config;
  config.model.frozen = config::FrozenPart::kFrontend;
  const auto networks = networks_of(config, 1049, {}, {});
  const auto exchange = exchange_of(networks, BatchStatistics::kAll);
  EXPECT_EQ(exchange.gradient_bytes, 4.0 * static_cast<double>(networks.trained_parameters()));
  EXPECT_EQ(exchange.batch_norm_sums, 3 * 12);
}

TEST(MemoryOfRanks, IsAShareOfTheMachineOnCpus) {
  PretrainConfig config;
  config.train.accumulate = 4;
  constexpr double kGiB = 1024.0 * 1024 * 1024;
  const Hardware one{.memory = 64 * kGiB, .device = "cpu"};
  auto four = one;
  four.ranks = 4;
  EXPECT_EQ(four.capacity(), 16 * kGiB);
  const auto alone = memory_for(config, {}, one), shared = memory_for(config, {}, four);
  EXPECT_LT(shared.loader, alone.loader) << "one batch of a step instead of four";
  EXPECT_EQ(shared.optimizer, alone.optimizer);
  four.shards_optimizer = true;
  EXPECT_EQ(memory_for(config, {}, four).optimizer, alone.optimizer / 4);
  EXPECT_EQ(alone.snapshot, make_plan(config, {}, one).storage.checkpoint);
}

TEST(MemoryOfRanks, IsMoreWhereGradientsAreSummedInFloat64) {
  PretrainConfig config;
  config.train.accumulate = 4;
  const Hardware hardware{.memory = 1e12, .device = "cpu"};
  const auto single = memory_for(config, {}, hardware);
  config.train.batch_norm = BatchStatistics::kOwn;
  EXPECT_EQ(memory_for(config, {}, hardware).gradients, 2 * single.gradients);
}

}  // namespace
}  // namespace raven::plan
