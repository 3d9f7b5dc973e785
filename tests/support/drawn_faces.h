// Films of drawn faces that a face detector takes for faces. Needs raven::synth and raven::media.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "raven/media/media_writer.h"
#include "synth/face.h"
#include "synth/speaker.h"

namespace raven {

/// Grey frames (T, H, W), at first a smooth background.
struct DrawnFilm {
  std::int64_t frames = 0, height = 0, width = 0;
  std::vector<std::uint8_t> pixels;

  explicit DrawnFilm(std::int64_t num_frames, std::int64_t of_height = synth::kFaceSize,
                     std::int64_t of_width = synth::kFaceSize)
      : frames(num_frames), height(of_height), width(of_width) {
    for (std::int64_t t = 0; t < frames; ++t) {
      for (std::int64_t y = 0; y < height; ++y) {
        for (std::int64_t x = 0; x < width; ++x)
          pixels.push_back(static_cast<std::uint8_t>(90 + 40 * y / height + 20 * x / width));
      }
    }
  }

  [[nodiscard]] std::uint8_t& at(std::int64_t t, std::int64_t y, std::int64_t x) {
    return pixels[static_cast<std::size_t>((t * height + y) * width + x)];
  }
  [[nodiscard]] std::uint8_t at(std::int64_t t, std::int64_t y, std::int64_t x) const {
    return pixels[static_cast<std::size_t>((t * height + y) * width + x)];
  }
  [[nodiscard]] media::GreyFrames view() const { return {pixels, frames, height, width}; }
};

/// The mouth opens and shuts three times a second.
inline double talking(std::int64_t frame) {
  return 0.5 - 0.5 * std::cos(2 * 3.14159265 * 3 * static_cast<double>(frame) / 25);
}

/// Where and when a face is in a film: its picture of 224 x 224 with shoulders and background.
struct DrawnFace {
  std::int64_t speaker = 0;
  std::int64_t begin = 0, end = 1'000'000;  // frames
  double left = 0, top = 0;                 // of its picture
  double scale = 1;                         // of its picture
  std::function<double(std::int64_t)> opening = talking;
  std::function<double(std::int64_t)> shift_x = [](std::int64_t) { return 0.0; };  // pixels
};

inline synth::Articulation mouth_opened(double opening) {
  return {.jaw = 0.6 * opening, .aperture = 0.9 * opening};
}

inline void draw(DrawnFilm& film, const DrawnFace& face) {
  const auto speaker = synth::Speaker::random(3, face.speaker);
  synth::Face drawn(speaker);
  synth::Picture picture;
  const auto side = static_cast<std::int64_t>(synth::kFaceSize * face.scale);
  for (auto t = face.begin; t < std::min(face.end, film.frames); ++t) {
    drawn.draw(mouth_opened(face.opening(t)), {}, static_cast<std::uint64_t>(t), picture);
    const auto left = std::lround(face.left + face.shift_x(t)), top = std::lround(face.top);
    for (std::int64_t y = 0; y < side; ++y) {
      for (std::int64_t x = 0; x < side; ++x) {
        if (y + top < 0 || y + top >= film.height || x + left < 0 || x + left >= film.width)
          continue;
        const auto from = [&](std::int64_t i) {
          return static_cast<int>(static_cast<double>(i) / face.scale);
        };
        const int luma = picture.luma.at<std::uint8_t>(from(y), from(x));  // 16 to 235
        film.at(t, y + top, x + left) =
            static_cast<std::uint8_t>(std::clamp((luma - 16) * 255 / 219, 0, 255));
      }
    }
  }
}

inline std::string mp4_of(const DrawnFilm& film) { return media::encode_mp4(film.view()); }

}  // namespace raven
