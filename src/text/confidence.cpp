#include "raven/text/confidence.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "raven/core/error.h"
#include "raven/core/random.h"

namespace raven::text {
namespace {

constexpr std::uint64_t kStream = 0x626F6F74;  // "boot": keeps these draws apart from all others

/// Calls `add(index)` for each utterance of each resample, then `finish()`, which gives its value.
template <class Add, class Finish>
std::vector<double> resample(std::int64_t utterances, const BootstrapOptions& options, Add add,
                             Finish finish) {
  RAVEN_CHECK(options.resamples > 0 && options.level > 0 && options.level < 1,
              "{} resamples for an interval of {}", options.resamples, options.level);
  std::vector<double> values;
  for (std::int64_t round = 0; round < options.resamples; ++round) {
    Random random(mix_seed({options.seed, kStream, static_cast<std::uint64_t>(round)}));
    for (std::int64_t i = 0; i < utterances; ++i)
      add(static_cast<std::size_t>(random.below(utterances)));
    values.push_back(finish());
  }
  return values;
}

/// The ends that leave (1 - level) / 2 of the values outside on each side.
Interval percentiles(std::vector<double> values, double level) {
  std::ranges::sort(values);
  const auto last = static_cast<double>(values.size() - 1);
  const auto at = [&](double share) {
    return values[static_cast<std::size_t>(std::lround(share * last))];
  };
  return {.low = at((1 - level) / 2), .high = at((1 + level) / 2)};
}

double ratio(std::int64_t errors, std::int64_t words) {
  return words == 0 ? std::numeric_limits<double>::quiet_NaN()
                    : static_cast<double>(errors) / static_cast<double>(words);
}

/// Chance of at most `k` heads, or as extreme on the other side, in `n` throws of a fair coin.
double sign_test(std::int64_t k, std::int64_t n) {
  if (n == 0) return 1;
  double tail = 0;
  for (std::int64_t i = 0; i <= k; ++i) {
    const auto a = static_cast<double>(i), b = static_cast<double>(n - i);
    tail += std::exp(std::lgamma(a + b + 1) - std::lgamma(a + 1) - std::lgamma(b + 1) -
                     (a + b) * std::numbers::ln2);
  }
  return std::min(1.0, 2 * tail);
}

double matched_pairs(std::span<const UtterancePair> pairs) {
  const auto n = static_cast<double>(pairs.size());
  double sum = 0, squares = 0;
  for (const auto& pair : pairs) {
    const auto difference = static_cast<double>(pair.errors_b - pair.errors_a);
    sum += difference;
    squares += difference * difference;
  }
  if (sum == 0 || pairs.size() < 2) return 1;
  const double variance = (squares - sum * sum / n) / (n - 1);
  if (variance <= 0) return 0;  // the same difference everywhere
  return std::erfc(std::abs(sum) / std::sqrt(n * variance) / std::numbers::sqrt2);
}

}  // namespace

Interval bootstrap_interval(std::span<const UtteranceCount> utterances,
                            const BootstrapOptions& options) {
  std::int64_t words = 0, errors = 0;
  for (const auto& utterance : utterances) words += utterance.words;
  if (words == 0) return {.low = ratio(0, 0), .high = ratio(0, 0)};
  words = 0;
  auto rates = resample(
      std::ssize(utterances), options,
      [&](std::size_t i) {
        words += utterances[i].words;
        errors += utterances[i].errors;
      },
      [&] {
        const double rate = words == 0 ? 0 : ratio(errors, words);
        words = errors = 0;
        return rate;
      });
  return percentiles(std::move(rates), options.level);
}

PairedComparison compare_systems(std::span<const UtterancePair> pairs,
                                 const BootstrapOptions& options) {
  PairedComparison result;
  std::int64_t words = 0, more = 0;
  for (const auto& pair : pairs) {
    words += pair.words;
    more += pair.errors_b - pair.errors_a;
    result.better += pair.errors_b < pair.errors_a ? 1 : 0;
    result.worse += pair.errors_b > pair.errors_a ? 1 : 0;
  }
  result.utterances = std::ssize(pairs);
  result.difference = ratio(more, words);
  if (words == 0) {
    result.interval = {.low = ratio(0, 0), .high = ratio(0, 0)};
    return result;
  }
  words = more = 0;
  auto differences = resample(
      std::ssize(pairs), options,
      [&](std::size_t i) {
        words += pairs[i].words;
        more += pairs[i].errors_b - pairs[i].errors_a;
      },
      [&] {
        const double difference = words == 0 ? 0 : ratio(more, words);
        words = more = 0;
        return difference;
      });
  const auto below = std::ranges::count_if(differences, [](double d) { return d <= 0; });
  const auto above = std::ranges::count_if(differences, [](double d) { return d >= 0; });
  result.p_bootstrap = std::min(1.0, 2 * static_cast<double>(std::min(below, above) + 1) /
                                         static_cast<double>(options.resamples + 1));
  result.interval = percentiles(std::move(differences), options.level);
  result.p_matched_pairs = matched_pairs(pairs);
  result.p_sign = sign_test(std::min(result.better, result.worse), result.better + result.worse);
  return result;
}

}  // namespace raven::text
