// Decoding of stored mouth clips from memory, opening included, on one core. Prints one JSON line.
//   decode_bench [H.264 quality, 18]
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "raven/core/random.h"
#include "raven/media/audio_reader.h"
#include "raven/media/media_writer.h"
#include "raven/media/video_reader.h"

namespace {

using namespace raven::media;

constexpr std::int64_t kFrames = 75, kSize = 96, kClips = 32;

/// Soft skin, a mouth that opens and shuts, a camera's noise: like a stored mouth clip in bytes a
/// frame.
std::string mouth_clip(std::uint64_t seed, int crf) {
  raven::Random random(seed);
  std::vector<std::uint8_t> pixels;
  const double phase = random.uniform(0, 6);
  for (std::int64_t t = 0; t < kFrames; ++t) {
    const double time = static_cast<double>(t) / kFrameRateHz;
    const double open = 4 + 9 * std::abs(std::sin(9 * time + phase));
    const double sway = 3 * std::sin(2 * time + phase);
    for (std::int64_t y = 0; y < kSize; ++y) {
      for (std::int64_t x = 0; x < kSize; ++x) {
        const double dx = (static_cast<double>(x) - 48 - sway) / 26;
        const double dy = (static_cast<double>(y) - 50) / open;
        const double mouth = 1 / (1 + std::exp(6 * (dx * dx + dy * dy - 1)));
        const double skin = 130 + 25 * std::sin(0.05 * static_cast<double>(x + 2 * y)) +
                            8 * std::sin(0.9 * static_cast<double>(x) + sway);
        const double grey = skin * (1 - 0.7 * mouth) + 2.2 * random.normal();
        pixels.push_back(static_cast<std::uint8_t>(std::clamp(grey, 0.0, 255.0)));
      }
    }
  }
  return encode_mp4({pixels, kFrames, kSize, kSize}, {.crf = crf});
}

Source in_memory(const std::string& bytes) { return {std::as_bytes(std::span(bytes)), "clip"}; }

/// Frames a second over all clips, until a second has passed.
template <class Read>
double frames_per_s(const std::vector<std::string>& clips, Read read) {
  const auto start = std::chrono::steady_clock::now();
  std::int64_t frames = 0;
  double elapsed_s = 0;
  while (elapsed_s < 1) {
    for (const auto& clip : clips) frames += read(clip);
    elapsed_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  return static_cast<double>(frames) / elapsed_s;
}

struct Measured {
  double median, spread;  // spread: (largest - smallest) / median
};

template <class Read>
Measured measure(const std::vector<std::string>& clips, Read read) {
  frames_per_s(clips, read);  // warm-up
  std::vector<double> rates(5);
  for (double& rate : rates) rate = frames_per_s(clips, read);
  std::sort(rates.begin(), rates.end());
  return {rates[2], (rates[4] - rates[0]) / rates[2]};
}

}  // namespace

int main(int argc, char** argv) {
  const int crf = argc > 1 ? std::atoi(argv[1]) : 18;
  std::vector<std::string> videos, sounds;
  std::size_t bytes = 0;
  for (std::int64_t i = 0; i < kClips; ++i) {
    videos.push_back(mouth_clip(static_cast<std::uint64_t>(i), crf));
    bytes += videos.back().size();
    sounds.push_back(encode_wav(std::vector<float>(kFrames * kSamplesPerFrame, 0.1F)));
  }
  const auto video = measure(
      videos, [](const std::string& clip) { return read_video(in_memory(clip)).num_frames; });
  const auto both = measure(videos, [&](const std::string& clip) {
    read_audio(in_memory(sounds[static_cast<std::size_t>(&clip - videos.data())]));
    return read_video(in_memory(clip)).num_frames;
  });
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf(
      "{\"bench\": \"decode\", \"frames_per_s\": %.0f, \"spread\": %.3f, "
      "\"frames_per_s_with_wav\": %.0f, \"bytes_per_frame\": %.0f, \"peak_rss_bytes\": %ld, "
      "\"config\": \"H.264 crf %d, %ld x %ld, %ld frames a clip, from memory\", \"device\": "
      "\"cpu\", \"threads\": 1}\n",
      video.median, video.spread, both.median,
      static_cast<double>(bytes) / static_cast<double>(kClips * kFrames), usage.ru_maxrss * 1024,
      crf, static_cast<long>(kSize), static_cast<long>(kSize), static_cast<long>(kFrames));
  return 0;
}
