#include "raven/evaluation/evaluation_set.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <filesystem>

#include "raven/core/files.h"
#include "raven/data/media_roots.h"

namespace raven::evaluation {
namespace {

using config::NoiseKind;

/// A report takes what follows the last @ for it.
std::string noise_name(const config::NoiseLevelsConfig& noise) {
  if (noise.kind != NoiseKind::kFile) return std::string(config::enum_name(noise.kind));
  auto name = std::filesystem::path(noise.file).stem().string();
  std::ranges::replace(name, '@', '-');
  return name;
}

/// The same at all levels: read once.
std::string noise_source(const config::NoiseLevelsConfig& noise, const data::MediaRoots& roots) {
  if (noise.kind == NoiseKind::kFile) return checksum_text(checksum_file(noise.file));
  if (noise.kind != NoiseKind::kBabble) return "";
  const auto& list = noise.babble_manifest;
  return fmt::format("{} {}", noise.babble_speakers,
                     list.empty() ? "set" : content_checksum(data::read_manifest(list, roots)));
}

}  // namespace

std::string content_checksum(const data::Manifest& manifest) {
  std::string lines;
  for (const auto& u : manifest.utterances) {
    lines += fmt::format("{}\t{}\t{}\t{}\t{}\n", u.id, u.frames, u.video.text(), u.audio.text(),
                         u.speaker);
  }
  return checksum_text(checksum(lines));
}

std::vector<EvaluationSet> evaluation_sets(const config::EvaluateConfig& config) {
  const auto& noise = config.noise;
  std::string made_from;
  const auto roots = data::media_roots(config.data);
  std::vector<EvaluationSet> sets;
  for (const auto& file : config.data.manifest) {
    const auto manifest = data::read_manifest(file, roots);
    const auto name = manifest.file.stem().string();
    if (noise.clean) sets.push_back({.manifest = manifest, .name = name, .snr_db = {}});
    if (noise.kind == NoiseKind::kNone) continue;
    const data::NoiseSource source(noise.at(noise.snr_db.front()), manifest, roots);
    if (made_from.empty()) made_from = noise_source(noise, roots);
    for (const double level : noise.snr_db) {
      const double snr_db = level + 0.0;  // -0 becomes 0
      sets.push_back({.manifest = manifest,
                      .name = fmt::format("{}@{}_{}dB", name, noise_name(noise), snr_db),
                      .noise = std::make_shared<const data::NoiseSource>(source.at(snr_db)),
                      .snr_db = snr_db,
                      .noise_source = made_from});
    }
  }
  return sets;
}

}  // namespace raven::evaluation
