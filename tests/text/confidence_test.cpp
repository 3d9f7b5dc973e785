#include "raven/text/confidence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "raven/core/random.h"

namespace raven::text {
namespace {

std::vector<UtteranceCount> draws(std::int64_t utterances, double error_rate, std::uint64_t seed) {
  Random random(seed);
  std::vector<UtteranceCount> out;
  for (std::int64_t i = 0; i < utterances; ++i) {
    UtteranceCount count{.words = 1 + random.below(10), .errors = 0};
    for (std::int64_t word = 0; word < count.words; ++word)
      count.errors += random.chance(error_rate) ? 1 : 0;
    out.push_back(count);
  }
  return out;
}

TEST(Bootstrap, IsRepeatable) {
  const auto counts = draws(50, 0.3, 1);
  const auto a = bootstrap_interval(counts), b = bootstrap_interval(counts);
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  EXPECT_NE(a.low, bootstrap_interval(counts, {.seed = 2}).low);
}

TEST(Bootstrap, HasNoWidthWhereUtterancesAreAlike) {
  const std::vector<UtteranceCount> counts(20, {.words = 4, .errors = 1});
  const auto interval = bootstrap_interval(counts);
  EXPECT_EQ(interval.low, 0.25);
  EXPECT_EQ(interval.high, 0.25);
  EXPECT_TRUE(std::isnan(bootstrap_interval({}).low));
  EXPECT_TRUE(std::isnan(bootstrap_interval(std::vector<UtteranceCount>(3)).high));
}

// A 95 % interval holds the true rate in about 95 of 100 data sets.
TEST(Bootstrap, CoversTheTruth) {
  int covered = 0;
  for (std::uint64_t set = 0; set < 200; ++set) {
    const auto [low, high] = bootstrap_interval(draws(100, 0.3, set), {.resamples = 300});
    covered += low <= 0.3 && 0.3 <= high ? 1 : 0;
  }
  EXPECT_GE(covered, 178);  // 190 expected, deviation 3
  EXPECT_LE(covered, 198);
}

std::vector<UtterancePair> pairs(double rate_a, double rate_b, std::uint64_t seed) {
  const auto a = draws(200, rate_a, seed), b = draws(200, rate_b, seed + 1000);
  std::vector<UtterancePair> out;
  for (std::size_t i = 0; i < a.size(); ++i)
    out.push_back({.words = a[i].words,
                   .errors_a = a[i].errors,
                   .errors_b = std::min(b[i].errors, a[i].words)});
  return out;
}

TEST(CompareSystems, SeesARealDifference) {
  const auto result = compare_systems(pairs(0.5, 0.2, 3));
  EXPECT_LT(result.difference, -0.1);
  EXPECT_LT(result.interval.high, 0);
  EXPECT_LT(result.p_bootstrap, 0.01);
  EXPECT_LT(result.p_matched_pairs, 1e-6);
  EXPECT_LT(result.p_sign, 1e-6);
  EXPECT_GT(result.better, result.worse);
}

TEST(CompareSystems, IsNotFooledByChance) {
  int bootstrap = 0, matched = 0, sign = 0;
  for (std::uint64_t set = 0; set < 200; ++set) {
    Random random(set);
    std::vector<UtterancePair> out;
    for (int i = 0; i < 100; ++i)
      out.push_back({.words = 6, .errors_a = random.below(5), .errors_b = random.below(5)});
    const auto result = compare_systems(out, {.resamples = 300});
    bootstrap += result.p_bootstrap < 0.05 ? 1 : 0;
    matched += result.p_matched_pairs < 0.05 ? 1 : 0;
    sign += result.p_sign < 0.05 ? 1 : 0;
  }
  for (const int found : {bootstrap, matched, sign}) {  // 10 expected, deviation 3
    EXPECT_LE(found, 22);
    EXPECT_GE(found, 1);
  }
}

TEST(CompareSystems, EqualSystemsAreEqual) {
  const std::vector<UtterancePair> same(30, {.words = 5, .errors_a = 2, .errors_b = 2});
  const auto result = compare_systems(same);
  EXPECT_EQ(result.difference, 0);
  EXPECT_EQ(result.p_bootstrap, 1);
  EXPECT_EQ(result.p_matched_pairs, 1);
  EXPECT_EQ(result.p_sign, 1);
  EXPECT_EQ(compare_systems({}).p_sign, 1);
}

// 1 better, 9 worse: 2 (C(10,0) + C(10,1)) / 1024 = 22 / 1024.
TEST(CompareSystems, SignTestIsExact) {
  std::vector<UtterancePair> ten(10, {.words = 5, .errors_a = 1, .errors_b = 2});
  ten[0].errors_b = 0;
  ten.push_back({.words = 5, .errors_a = 1, .errors_b = 1});
  EXPECT_NEAR(compare_systems(ten).p_sign, 22.0 / 1024, 1e-12);
}

// Differences 1, 1, 1, -1: mean 0.5, variance 1, z = 1, p = 0.3173.
TEST(CompareSystems, MatchedPairsTestIsNormal) {
  std::vector<UtterancePair> four(4, {.words = 5, .errors_a = 1, .errors_b = 2});
  four[3].errors_b = 0;
  EXPECT_NEAR(compare_systems(four).p_matched_pairs, 0.31731050786, 1e-9);
}

}  // namespace
}  // namespace raven::text
