#include "raven/report/spread.h"

#include <gtest/gtest.h>

#include <cmath>

namespace raven::report {
namespace {

TEST(Spread, IsMeanAndDeviationOfTheSample) {
  // 1, 2, 6: mean 3, squares 4 + 1 + 9 = 14, over 2: 7.
  const auto spread = spread_of({1, 2, 6});
  EXPECT_DOUBLE_EQ(spread.mean, 3);
  EXPECT_DOUBLE_EQ(spread.deviation.value(), std::sqrt(7.0));
  EXPECT_EQ(spread.n, 3);
}

TEST(Spread, OfOneValueHasNoDeviation) {
  const auto spread = spread_of({0.25});
  EXPECT_DOUBLE_EQ(spread.mean, 0.25);
  EXPECT_FALSE(spread.deviation);
  EXPECT_EQ(spread.n, 1);
}

TEST(PairedTTest, HasTheProbabilitiesOfTheTables) {
  // Differences around their mean so that t is the two-sided 5 % point of a table, to its digits.
  const auto p_of = [](double t, std::int64_t n) {
    // n - 1 differences of 0 and one of 1 have mean 1 / n and deviation 1 / sqrt(n), so t is 1;
    // shifted by s, t is 1 + s n.
    SeedPairs pairs;
    const double shift = (t - 1) / static_cast<double>(n);
    for (std::int64_t i = 0; i < n; ++i) pairs.emplace_back(5.0, 5 + shift + (i == 0 ? 1 : 0));
    return paired_t_test(pairs).value();
  };
  for (const auto& [t, n] : std::vector<std::pair<double, std::int64_t>>{
           {12.706, 2}, {4.303, 3}, {3.182, 4}, {2.776, 5}, {2.571, 6}, {2.262, 10}})
    EXPECT_NEAR(p_of(t, n), 0.05, 1e-4) << n;
  EXPECT_NEAR(p_of(-2.776, 5), 0.05, 1e-4);
  EXPECT_NEAR(p_of(1, 2), 0.5, 1e-12);  // of one degree of freedom: Cauchy
}

TEST(PairedTTest, NeedsTwoPairsThatDiffer) {
  EXPECT_FALSE(paired_t_test({}));
  EXPECT_FALSE(paired_t_test({{0.1, 0.2}}));
  EXPECT_FALSE(paired_t_test({{0.1, 0.2}, {0.3, 0.4}}));  // the same difference twice
}

}  // namespace
}  // namespace raven::report
