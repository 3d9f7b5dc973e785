// A number over several runs that differ in their seed alone.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace raven::report {

struct Spread {
  double mean = 0;
  std::optional<double> deviation;  // of the sample (n - 1); empty for a single run
  std::int64_t n = 0;
};
/// Throws InternalError for no values.
Spread spread_of(const std::vector<double>& values);

/// Values of the same seed beside each other, the base's first.
using SeedPairs = std::vector<std::pair<double, double>>;

/// Two-sided p of the paired t-test: what a mean difference as large as this would be seen with if
/// there were none. Empty for fewer than two pairs, and where all differences are alike, so that
/// they have no spread to be measured by.
std::optional<double> paired_t_test(const SeedPairs& pairs);

}  // namespace raven::report
