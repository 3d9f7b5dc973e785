// A small corpus of raw clips, made on the spot.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "raven/core/random.h"
#include "raven/corpus/npy.h"
#include "raven/data/manifest.h"
#include "raven/data/shard.h"
#include "raven/data/transforms.h"
#include "raven/media/media_writer.h"

namespace raven::data {

/// Pixels of clip `seed`, (frames, 96, 96): every frame and place differs.
inline std::vector<std::uint8_t> clip_pixels(std::int64_t frames, std::uint64_t seed) {
  Random random(seed);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(frames * kStoredSide * kStoredSide));
  for (auto& pixel : pixels) pixel = static_cast<std::uint8_t>(random.bits() >> 40);
  return pixels;
}

inline std::vector<float> clip_samples(std::int64_t frames, std::uint64_t seed) {
  Random random(seed + 1000);
  std::vector<float> samples(static_cast<std::size_t>(frames * 640));
  for (auto& x : samples)
    x = static_cast<float>(static_cast<std::int16_t>(random.bits())) / 32768.0F;
  return samples;
}

inline std::string npy_clip(const std::vector<std::uint8_t>& pixels) {
  const std::int64_t shape[] = {
      static_cast<std::int64_t>(pixels.size()) / (kStoredSide * kStoredSide), kStoredSide,
      kStoredSide};
  return corpus::npy_bytes("|u1", shape, std::as_bytes(std::span(pixels)));
}

inline std::string clip_id(std::size_t number) {
  return "s" + std::to_string(number % 3) + "/" + std::to_string(number);
}

/// Clips of the given lengths in `<folder>/shards/0.tar`, listed in `<folder>/manifest.tsv`.
inline Manifest write_corpus(const std::filesystem::path& folder,
                             const std::vector<std::int64_t>& lengths) {
  std::filesystem::create_directories(folder / "shards");
  const auto tar = folder / "shards/0.tar";
  ShardWriter writer(tar);
  Manifest manifest;
  manifest.file = folder / "manifest.tsv";
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    Utterance u;
    u.id = clip_id(i);
    u.frames = lengths[i];
    u.video = {tar, u.id + ".npy"};
    u.audio = {tar, u.id + ".wav"};
    u.speaker = u.id.substr(0, 2);
    writer.add(u.video.member, npy_clip(clip_pixels(u.frames, i)));
    writer.add(u.audio.member, media::encode_wav(clip_samples(u.frames, i)));
    manifest.utterances.push_back(u);
  }
  writer.finish();
  write_manifest(manifest);
  return manifest;
}

}  // namespace raven::data
