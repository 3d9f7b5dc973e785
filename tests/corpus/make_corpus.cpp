#include "corpus/make_corpus.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <span>
#include <stdexcept>
#include <vector>

#include "media/make_media.h"
#include "raven/corpus/mean_face.h"
#include "raven/corpus/npy.h"

namespace raven::corpus {
namespace {

namespace fs = std::filesystem;

std::string movie(const TestClip& clip) {
  media::MediaSpec spec;
  if (clip.has_video) {
    media::VideoStreamSpec video;
    video.width = video.height = 128;
    video.rate = {clip.rate_hz, 1};
    video.time_base = {1, clip.rate_hz};
    video.times = media::regular_times(clip.frames);
    video.colour = [shade = clip.shade](int i) { return std::vector<int>{(2 * i + shade) % 256}; };
    spec.video = video;
  }
  if (clip.has_audio) {
    media::AudioStreamSpec audio;
    audio.num_samples = static_cast<std::int64_t>(
        clip.sound_share * static_cast<double>(clip.frames * 16000 / clip.rate_hz));
    audio.sample = [n = static_cast<double>(audio.num_samples)](std::int64_t i, int) {
      return -1 + 2 * static_cast<double>(i) / n;
    };
    spec.audio = audio;
  }
  return media::make_media("avi", spec);
}

}  // namespace

void write_bytes(const fs::path& file, const std::string& bytes) {
  fs::create_directories(file.parent_path());
  std::ofstream out(file, std::ios::binary);
  out << bytes;
  out.close();
  if (!out) throw std::runtime_error("cannot write " + file.string());
}

std::string landmark_file(std::int64_t frames, std::int64_t missing_face) {
  std::vector<float> points;
  for (std::int64_t t = 0; t < frames; ++t) {
    for (std::size_t i = 0; i < kNumFacePoints; ++i) {
      const double opening = i >= kFirstMouthPoint ? 3 * std::sin(0.7 * static_cast<double>(t)) : 0;
      const auto& point = mean_face()[i];
      const bool missing = t == missing_face;
      points.push_back(missing ? std::numeric_limits<float>::quiet_NaN()
                               : static_cast<float>(0.5 * point.x));
      points.push_back(static_cast<float>(0.5 * point.y + opening));
    }
  }
  const std::int64_t shape[] = {frames, 68, 2};
  return npy_bytes("<f4", shape, std::as_bytes(std::span(points)));
}

void write_clip(const fs::path& folder, const fs::path& name, const TestClip& clip) {
  write_bytes(folder / name, movie(clip));
  auto stem = name;
  stem.replace_extension();
  if (!clip.text.empty()) write_bytes((folder / stem) += ".txt", clip.text);
  if (clip.has_landmarks) {
    const auto count = clip.landmark_frames < 0 ? clip.frames : clip.landmark_frames;
    write_bytes((folder / "landmarks" / stem) += ".npy", landmark_file(count, clip.missing_face));
  }
}

}  // namespace raven::corpus
