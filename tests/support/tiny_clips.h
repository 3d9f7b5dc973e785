// A handful of clips in which sight and sound belong together: a dark mouth opens and closes on a
// grey face while a voice gets louder and softer with it. Needs raven::media and raven::data.
#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <numbers>
#include <string>
#include <vector>

#include "raven/core/random.h"
#include "raven/data/manifest.h"
#include "raven/media/media_writer.h"

namespace raven {

struct TinyClips {
  std::int64_t clips = 12;
  std::int64_t least_frames = 12, most_frames = 20;
  std::uint64_t seed = 1;
};

namespace tiny_clips_detail {

inline constexpr std::int64_t kSide = 96;

inline void write(const std::filesystem::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
}

/// How far the mouth is open at frame t, from 0 to 1.
inline double opening(double t, double speed, double phase) {
  return 0.5 - 0.5 * std::cos(2 * std::numbers::pi * (speed * t + phase));
}

inline void draw(std::vector<std::uint8_t>& pixels, double open) {
  const double height = 3 + 17 * open, width = 24 - 6 * open;
  for (std::int64_t y = 0; y < kSide; ++y) {
    for (std::int64_t x = 0; x < kSide; ++x) {
      const double dx = static_cast<double>(x - kSide / 2) / width;
      const double dy = static_cast<double>(y - kSide / 2) / height;
      pixels.push_back(dx * dx + dy * dy < 1 ? 40 : 150);
    }
  }
}

}  // namespace tiny_clips_detail

/// Writes `<name>.mp4`, `<name>.wav` of each clip and `manifest.tsv` into `folder`; returns the
/// manifest's path.
inline std::filesystem::path make_tiny_clips(const std::filesystem::path& folder,
                                             const TinyClips& options = {}) {
  namespace detail = tiny_clips_detail;
  std::filesystem::create_directories(folder);
  data::Manifest manifest{.file = folder / "manifest.tsv", .utterances = {}};
  Random random(options.seed);
  for (std::int64_t clip = 0; clip < options.clips; ++clip) {
    const auto frames =
        options.least_frames + random.below(options.most_frames - options.least_frames + 1);
    const double speed = random.uniform(0.05, 0.2), phase = random.uniform();
    const double pitch_hz = random.uniform(120, 300);
    std::vector<std::uint8_t> pixels;
    for (std::int64_t t = 0; t < frames; ++t) {
      detail::draw(pixels, detail::opening(static_cast<double>(t), speed, phase));
    }
    std::vector<float> samples;
    for (std::int64_t i = 0; i < 640 * frames; ++i) {
      const double t = static_cast<double>(i) / 640;
      const double voice =
          std::sin(2 * std::numbers::pi * pitch_hz * t / 25) + 0.3 * random.normal();
      samples.push_back(static_cast<float>(0.3 * detail::opening(t, speed, phase) * voice));
    }
    const auto name = "clip" + std::to_string(clip);
    detail::write(folder / (name + ".mp4"), media::encode_mp4({.pixels = pixels,
                                                               .num_frames = frames,
                                                               .height = detail::kSide,
                                                               .width = detail::kSide}));
    detail::write(folder / (name + ".wav"), media::encode_wav(samples));
    data::Utterance utterance;
    utterance.id = name;
    utterance.video.file = folder / (name + ".mp4");
    utterance.audio.file = folder / (name + ".wav");
    utterance.frames = frames;
    manifest.utterances.push_back(utterance);
  }
  data::write_manifest(manifest);
  return manifest.file;
}

}  // namespace raven
