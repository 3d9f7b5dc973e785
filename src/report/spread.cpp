#include "raven/report/spread.h"

#include <cmath>
#include <numbers>

#include "raven/core/error.h"

namespace raven::report {
namespace {

/// Probability that |t| of Student's distribution stays below `t`, for whole degrees of freedom
/// (Abramowitz and Stegun, 26.7.3 and 26.7.4).
double share_below(double t, std::int64_t freedom) {
  const double angle = std::atan(t / std::sqrt(static_cast<double>(freedom)));
  const double cosine = std::cos(angle), square = cosine * cosine;
  const bool odd = freedom % 2 == 1;
  double term = odd ? cosine : 1, sum = freedom > 1 ? term : 0;
  for (std::int64_t i = odd ? 3 : 2; i < freedom - 1; i += 2) {
    term *= square * static_cast<double>(i - 1) / static_cast<double>(i);
    sum += term;
  }
  return odd ? 2 / std::numbers::pi * (angle + std::sin(angle) * sum) : std::sin(angle) * sum;
}

}  // namespace

Spread spread_of(const std::vector<double>& values) {
  RAVEN_CHECK(!values.empty(), "the spread of no values");
  Spread spread;
  spread.n = std::ssize(values);
  for (const double value : values) spread.mean += value / static_cast<double>(spread.n);
  if (spread.n < 2) return spread;
  double squares = 0;
  for (const double value : values) squares += (value - spread.mean) * (value - spread.mean);
  spread.deviation = std::sqrt(squares / static_cast<double>(spread.n - 1));
  return spread;
}

std::optional<double> paired_t_test(const SeedPairs& pairs) {
  if (pairs.size() < 2) return std::nullopt;
  std::vector<double> differences;
  for (const auto& [base, other] : pairs) differences.push_back(other - base);
  const auto spread = spread_of(differences);
  constexpr double kRounding = 1e-12;  // of values near 1
  if (*spread.deviation <= kRounding * (1 + std::abs(spread.mean))) return std::nullopt;
  const double t =
      std::abs(spread.mean) / (*spread.deviation / std::sqrt(static_cast<double>(spread.n)));
  return 1 - share_below(t, spread.n - 1);
}

}  // namespace raven::report
