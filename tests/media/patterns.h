// Frames and sounds for tests of the media layer, made on the spot.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <span>
#include <string>
#include <vector>

#include "raven/media/media.h"
#include "raven/media/media_writer.h"

namespace raven::media {

struct GreyClip {
  std::vector<std::uint8_t> pixels;
  std::int64_t num_frames, height, width;

  [[nodiscard]] GreyFrames view() const { return {pixels, num_frames, height, width}; }
};

/// A smooth pattern that drifts, over the whole range of grey values.
inline GreyClip drifting_clip(std::int64_t num_frames, std::int64_t height, std::int64_t width) {
  GreyClip clip{{}, num_frames, height, width};
  for (std::int64_t t = 0; t < num_frames; ++t) {
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        const double phase = 0.11 * static_cast<double>(x + t) + 0.07 * static_cast<double>(y);
        clip.pixels.push_back(
            static_cast<std::uint8_t>(std::lround(127.5 + 127.5 * std::sin(phase))));
      }
    }
  }
  return clip;
}

inline std::vector<float> sine(std::int64_t num_samples, double frequency_hz, double rate_hz,
                               double amplitude = 0.5) {
  std::vector<float> samples;
  for (std::int64_t i = 0; i < num_samples; ++i) {
    const double phase = 2 * std::numbers::pi * frequency_hz * static_cast<double>(i) / rate_hz;
    samples.push_back(static_cast<float>(amplitude * std::sin(phase)));
  }
  return samples;
}

inline Source in_memory(const std::string& bytes, std::string name = "clip") {
  return {std::as_bytes(std::span(bytes)), std::move(name)};
}

}  // namespace raven::media
