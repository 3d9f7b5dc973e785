// The head during one sentence: slow turns, blinks, flicker of the light.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "synth/speaker.h"

namespace raven::synth {

struct Pose {
  double yaw = 0, pitch = 0, roll = 0;  // radians
  double scale = 1, shift_x = 0, shift_y = 0;
  double blink = 0;  // 1 = eyes closed
  double light = 1;  // brightness
};

class HeadMotion {
 public:
  /// `amount` 0 holds the head still (blinks remain).
  HeadMotion(std::uint64_t seed, std::int64_t utterance, double duration_s, double amount = 1);

  [[nodiscard]] Pose at(double time_s, const Speaker& speaker) const;

 private:
  struct Wave {
    std::array<double, 3> phase, frequency_hz;
    double amplitude;
    [[nodiscard]] double at(double time_s) const;
  };
  enum Axis { kYaw, kPitch, kRoll, kScale, kShiftX, kShiftY, kLight, kNumAxes };

  std::array<Wave, kNumAxes> waves_;
  std::vector<double> blinks_s_;
};

}  // namespace raven::synth
