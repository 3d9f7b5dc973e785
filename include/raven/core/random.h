// Random numbers that are the same on every machine, standard library and thread count.
// A stream is named by what it is for: Random(seed, epoch, item, Draw::kMask). Nothing is shared
// between streams, so no draw depends on which thread came first.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <utility>
#include <vector>

namespace raven {

/// What a stream is for; the number is part of its name, so values are never reused.
enum class Draw : std::uint64_t {
  kOrder = 1,       // order of utterances in an epoch
  kBatchOrder = 2,  // order of batches in an epoch
  kCrop = 3,        // crop offset and flip
  kVideoMask = 4,
  kAudioMask = 5,
  kStep = 6,  // dropout within one training step
  kInit = 7,  // initial weights
  kProbe = 8,
  kSynth = 9,
  kTimeMask = 10,     // runs zeroed in fine-tuning
  kNoise = 11,        // noise mixed into the sound
  kLeftOut = 12,      // clips that a batch of longer clips than listed has no room for
  kTeacherCrop = 13,  // crop offset and flip of a teacher's own view
};

/// Mixes words into one well-spread 64-bit value (splitmix64 finaliser over a chain).
std::uint64_t mix_seed(std::initializer_list<std::uint64_t> words) noexcept;

/// splitmix64 as a counter: state advances by a constant, output is a bijection of the state.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}
  Random(std::uint64_t seed, std::uint64_t epoch, std::uint64_t item, Draw draw) noexcept
      : state_(mix_seed({seed, epoch, item, static_cast<std::uint64_t>(draw)})) {}

  std::uint64_t bits() noexcept;                     // 64 random bits
  double uniform() noexcept;                         // [0, 1), 53 bits
  double uniform(double low, double high) noexcept;  // [low, high)
  double normal() noexcept;                          // mean 0, deviation 1 (Box-Muller)
  std::int64_t below(std::int64_t n) noexcept;       // {0, ..., n - 1}, unbiased; n > 0
  bool chance(double probability) noexcept { return uniform() < probability; }

  /// A uniformly random permutation of 0 .. n-1 (Fisher-Yates).
  std::vector<std::int64_t> permutation(std::int64_t n);

  template <class T>
  void shuffle(std::vector<T>& items) noexcept {
    for (auto i = static_cast<std::int64_t>(items.size()) - 1; i > 0; --i) {
      using std::swap;
      swap(items[static_cast<std::size_t>(i)], items[static_cast<std::size_t>(below(i + 1))]);
    }
  }

  // UniformRandomBitGenerator, for use with <algorithm>.
  using result_type = std::uint64_t;
  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return ~std::uint64_t{0}; }
  result_type operator()() noexcept { return bits(); }

 private:
  std::uint64_t state_;
};

}  // namespace raven
