// Random draws of the corpus. Each thing has a stream of its own, so nothing depends on what was
// made before.
#pragma once

#include <algorithm>
#include <cstdint>

#include "raven/core/random.h"

namespace raven::synth {

enum class Purpose : std::uint64_t {
  kSpeaker = 1,
  kUtterance = 2,
  kMotion = 3,
  kFrame = 4,
  kSensor = 5
};

inline Random stream(std::uint64_t seed, Purpose purpose, std::int64_t item,
                     std::int64_t part = 0) {
  return Random(
      mix_seed({seed, static_cast<std::uint64_t>(Draw::kSynth), static_cast<std::uint64_t>(purpose),
                static_cast<std::uint64_t>(item), static_cast<std::uint64_t>(part)}));
}

/// Mean 0, no farther than 2.5 deviations.
inline double clipped_normal(Random& random, double deviation) {
  return deviation * std::clamp(random.normal(), -2.5, 2.5);
}

template <class Choices>
const auto& pick(const Choices& choices, Random& random) {
  return choices[static_cast<std::size_t>(random.below(std::ssize(choices)))];
}

}  // namespace raven::synth
