#include "synth/head_motion.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "synth/draws.h"

namespace raven::synth {

HeadMotion::HeadMotion(std::uint64_t seed, std::int64_t utterance, double duration_s,
                       double amount) {
  constexpr std::array<double, kNumAxes> kAmplitudes = {0.045, 0.03, 0.02, 0.008, 1.2, 1.0, 0.02};
  auto random = stream(seed, Purpose::kMotion, utterance);
  for (std::size_t axis = 0; axis < kNumAxes; ++axis) {
    auto& wave = waves_[axis];
    wave.amplitude = kAmplitudes[axis] * amount;
    for (std::size_t part = 0; part < 3; ++part) {
      wave.phase[part] = random.uniform(0, 2 * std::numbers::pi);
      wave.frequency_hz[part] = random.uniform(0.15, 0.5) * (1 + 0.9 * static_cast<double>(part));
    }
  }
  for (double time_s = random.uniform(0, 3); time_s < duration_s;
       time_s += random.uniform(1.5, 4.5)) {
    blinks_s_.push_back(time_s);
  }
}

double HeadMotion::Wave::at(double time_s) const {
  double sum = 0;
  for (std::size_t part = 0; part < 3; ++part) {
    sum += std::sin(phase[part] + 2 * std::numbers::pi * frequency_hz[part] * time_s) /
           (1 + static_cast<double>(part));
  }
  return 0.7 * amplitude * sum;
}

Pose HeadMotion::at(double time_s, const Speaker& speaker) const {
  constexpr double kBlinkHalf_s = 0.09;
  Pose pose{.yaw = speaker.yaw + waves_[kYaw].at(time_s),
            .pitch = speaker.pitch + waves_[kPitch].at(time_s),
            .roll = speaker.roll + waves_[kRoll].at(time_s),
            .scale = speaker.scale + waves_[kScale].at(time_s),
            .shift_x = speaker.shift_x + waves_[kShiftX].at(time_s),
            .shift_y = speaker.shift_y + waves_[kShiftY].at(time_s),
            .blink = 0,
            .light = 1 + waves_[kLight].at(time_s)};
  for (const double blink_s : blinks_s_) {
    pose.blink = std::max(pose.blink, 1 - std::abs(time_s - blink_s) / kBlinkHalf_s);
  }
  return pose;
}

}  // namespace raven::synth
