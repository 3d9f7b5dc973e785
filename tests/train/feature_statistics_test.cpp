#include "raven/train/feature_statistics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace raven::train {
namespace {

TEST(FeatureStatistics, IdenticalDirectionsAreACollapse) {
  const auto features = torch::tensor({{1.0F, 2.0F, 2.0F}}).repeat({10, 1}) *
                        torch::arange(1, 11).unsqueeze(1);  // lengths do not count
  const auto statistics = feature_statistics(features);
  EXPECT_NEAR(statistics.mean_norm, 1.0, 1e-5);
  EXPECT_NEAR(statistics.spread, 0.0, 1e-3);
  EXPECT_EQ(statistics.rank, 0.0);
}

TEST(FeatureStatistics, OppositeDirectionsHaveRankOneAndFullSpread) {
  const auto statistics = feature_statistics(torch::tensor({{3.0F, 0.0F}, {-3.0F, 0.0F}}));
  EXPECT_NEAR(statistics.mean_norm, 0.0, 1e-6);
  EXPECT_NEAR(statistics.spread, 1.0, 1e-6);
  EXPECT_NEAR(statistics.rank, 1.0, 1e-6);
}

TEST(FeatureStatistics, RankCountsTheDimensionsInUse) {
  // +-e_i for four of eight axes: four equal variances.
  const auto axes = torch::eye(8).slice(0, 0, 4);
  const auto statistics = feature_statistics(torch::cat({axes, -axes}));
  EXPECT_NEAR(statistics.rank, 4.0, 1e-6);
}

TEST(FeatureStatistics, SpreadAndMeanAreTwoSidesOfOne) {
  torch::manual_seed(1);
  const auto statistics = feature_statistics(torch::randn({500, 16}) + 0.5);
  EXPECT_NEAR(statistics.spread * statistics.spread + statistics.mean_norm * statistics.mean_norm,
              1.0, 1e-5);
  EXPECT_GT(statistics.rank, 12.0);
  EXPECT_LE(statistics.rank, 16.0);
}

TEST(FeatureStatistics, TakesTheFramesAskedFor) {
  const auto features = torch::arange(12).view({2, 3, 2});
  const auto where = torch::tensor({{true, false, false}, {false, true, true}});
  EXPECT_TRUE(
      torch::equal(frames_where(features, where), torch::tensor({{0, 1}, {8, 9}, {10, 11}})));
}

}  // namespace
}  // namespace raven::train
