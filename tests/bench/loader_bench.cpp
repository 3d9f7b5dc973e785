// Frames a second of the loader: decoding or mapping, crop, flip, audio, masks and padding
// included. A set of shards of slow waves is made on the spot; then one JSON line:
//   loader_bench [--raw] [--workers N] [--batches N] [--utterances N] [--max-frames N]
#include <spdlog/fmt/fmt.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <map>
#include <string>

#include "raven/core/log.h"
#include "raven/core/random.h"
#include "raven/corpus/npy.h"
#include "raven/data/loader.h"
#include "raven/data/shard.h"
#include "raven/data/transforms.h"
#include "raven/media/media_writer.h"
#include "support/temporary_folder.h"

namespace {

using raven::Random;
using raven::data::kStoredSide;
using Clock = std::chrono::steady_clock;

/// A patch of waves that moves, brightens and darkens, with a little grain: about as hard as a
/// mouth.
std::vector<std::uint8_t> wave_pixels(std::int64_t frames, Random& random) {
  std::vector<std::uint8_t> pixels;
  pixels.reserve(static_cast<std::size_t>(frames * kStoredSide * kStoredSide));
  const double fx = random.uniform(0.03, 0.12), fy = random.uniform(0.03, 0.12),
               speed = random.uniform(0.05, 0.3);
  for (std::int64_t t = 0; t < frames; ++t) {
    const auto time = static_cast<double>(t);
    for (std::int64_t y = 0; y < kStoredSide; ++y) {
      for (std::int64_t x = 0; x < kStoredSide; ++x) {
        const double wave = std::sin(fx * static_cast<double>(x) + speed * time) *
                            std::cos(fy * static_cast<double>(y) - 0.5 * speed * time);
        pixels.push_back(static_cast<std::uint8_t>(118 + 70 * wave + random.uniform(0, 4)));
      }
    }
  }
  return pixels;
}

raven::data::Manifest make_corpus(const std::filesystem::path& folder, std::int64_t utterances,
                                  bool raw) {
  const auto tar = folder / "0.tar";
  raven::data::ShardWriter writer(tar);
  raven::data::Manifest manifest;
  manifest.file = folder / "manifest.tsv";
  Random random(1);
  for (std::int64_t k = 0; k < utterances; ++k) {
    raven::data::Utterance u;
    u.id = fmt::format("speaker{}/{}", k % 10, k);
    u.frames = 50 + random.below(101);  // 2 to 6 seconds
    const auto pixels = wave_pixels(u.frames, random);
    std::vector<float> samples(static_cast<std::size_t>(640 * u.frames));
    for (auto& x : samples) x = static_cast<float>(random.uniform(-0.5, 0.5));
    u.video = {tar, u.id + (raw ? ".npy" : ".mp4")};
    u.audio = {tar, u.id + ".wav"};
    const std::int64_t shape[] = {u.frames, kStoredSide, kStoredSide};
    writer.add(u.video.member,
               raw ? raven::corpus::npy_bytes("|u1", shape, std::as_bytes(std::span(pixels)))
                   : raven::media::encode_mp4({.pixels = pixels,
                                               .num_frames = u.frames,
                                               .height = kStoredSide,
                                               .width = kStoredSide}));
    writer.add(u.audio.member, raven::media::encode_wav(samples));
    manifest.utterances.push_back(u);
  }
  writer.finish();
  return manifest;
}

std::int64_t peak_rss_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024;
}

struct Options {
  bool raw = false;
  std::map<std::string, std::int64_t> numbers = {
      {"--workers", 0}, {"--batches", 100}, {"--utterances", 200}, {"--max-frames", 2400}};
};

bool parse(int count, char** arguments, Options& options) {
  for (int i = 1; i < count; ++i) {
    const std::string name = arguments[i];
    if (name == "--raw") {
      options.raw = true;
    } else if (options.numbers.contains(name) && i + 1 < count) {
      options.numbers[name] = std::atoll(arguments[++i]);
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int count, char** arguments) {
  Options options;
  if (!parse(count, arguments, options)) {
    fmt::print(
        stderr,
        "loader_bench [--raw] [--workers N] [--batches N] [--utterances N] [--max-frames N]\n");
    return 2;
  }
  const raven::TemporaryFolder folder;
  const auto manifest = make_corpus(folder.path(), options.numbers["--utterances"], options.raw);
  raven::data::LoaderOptions loading;
  loading.workers = options.numbers["--workers"];
  loading.max_frames = options.numbers["--max-frames"];
  loading.mask = raven::config::MaskConfig{};
  raven::data::Loader loader(manifest, loading);
  for (std::int64_t k = 0; k < loader.batches_per_epoch(); ++k)
    (void)loader.next();  // every page once
  const auto rss_before = peak_rss_bytes();
  std::vector<double> rates;
  double frames = 0, seconds = 0;
  for (std::int64_t k = 0; k < options.numbers["--batches"]; ++k) {
    const auto start = Clock::now();
    const auto batch = loader.next();
    const auto spent = std::chrono::duration<double>(Clock::now() - start).count();
    const auto real = static_cast<double>(batch->num_frames());
    rates.push_back(real / spent);
    frames += real;
    seconds += spent;
  }
  std::sort(rates.begin(), rates.end());
  const auto at = [&](double share) {
    return rates[static_cast<std::size_t>(share * static_cast<double>(rates.size() - 1))];
  };
  fmt::print(
      "{{\"bench\":\"loader\",\"storage\":\"{}\",\"workers\":{},\"frames_per_s\":{:.0f},\"mean_"
      "frames_per_s\":{:.0f},"
      "\"spread\":{:.3f},\"batches\":{},\"waited_s\":{:.3f},\"peak_rss_bytes\":{},\"peak_rss_"
      "growth_bytes\":{}}}\n",
      options.raw ? "raw" : "h264", loading.workers, at(0.5), frames / seconds,
      (at(0.75) - at(0.25)) / at(0.5), rates.size(), loader.waited_s(), peak_rss_bytes(),
      peak_rss_bytes() - rss_before);
  return 0;
}
