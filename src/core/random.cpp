#include "raven/core/random.h"

#include <cmath>
#include <numbers>
#include <numeric>

namespace raven {
namespace {

constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15ULL;

std::uint64_t finalise(std::uint64_t z) noexcept {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

}  // namespace

std::uint64_t mix_seed(std::initializer_list<std::uint64_t> words) noexcept {
  std::uint64_t h = kGolden;
  for (const auto word : words) h = finalise((h ^ word) + kGolden);
  return h;
}

std::uint64_t Random::bits() noexcept {
  state_ += kGolden;
  return finalise(state_);
}

double Random::uniform() noexcept { return static_cast<double>(bits() >> 11) * 0x1.0p-53; }

double Random::uniform(double low, double high) noexcept { return low + (high - low) * uniform(); }

double Random::normal() noexcept {
  const double u = 1.0 - uniform();  // (0, 1]: the logarithm stays finite
  const double v = uniform();
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
}

std::int64_t Random::below(std::int64_t n) noexcept {
  const auto range = static_cast<std::uint64_t>(n);
  const std::uint64_t limit = max() - (max() % range + 1) % range;  // largest multiple of n, less 1
  std::uint64_t x = bits();
  while (x > limit) x = bits();
  return static_cast<std::int64_t>(x % range);
}

std::vector<std::int64_t> Random::permutation(std::int64_t n) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  shuffle(order);
  return order;
}

}  // namespace raven
