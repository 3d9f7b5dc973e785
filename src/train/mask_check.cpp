#include "raven/train/mask_check.h"

#include <algorithm>

#include "raven/config/modality.h"
#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/data/span_mask.h"
#include "raven/data/subset.h"

namespace raven::train {
namespace {

constexpr std::int64_t kMostClips = 500;  // looked at
constexpr double kNextToAll = 0.95;       // hidden

std::vector<std::int64_t> lengths_of(const data::Manifest& manifest) {
  std::vector<std::int64_t> lengths;
  for (const auto& utterance : data::spread(manifest, kMostClips).utterances)
    lengths.push_back(utterance.frames);
  std::ranges::sort(lengths);
  return lengths;
}

/// Hidden frames over all frames.
double hidden_share(const data::SpanOptions& options, const std::vector<std::int64_t>& lengths) {
  Random random(1);
  std::vector<std::uint8_t> masked;
  double hidden = 0, all = 0;
  for (const auto length : lengths) {
    masked.resize(static_cast<std::size_t>(length));
    hidden += static_cast<double>(data::mask_row(options, random, masked));
    all += static_cast<double>(length);
  }
  return all > 0 ? hidden / all : 0;
}

void check(const std::string& modality, const data::SpanOptions& options,
           const std::vector<std::int64_t>& lengths) {
  if (options.prob <= 0 || lengths.empty()) return;
  const double share = hidden_share(options, lengths);
  const auto settings =
      fmt::format("mask.prob {:g} and mask.length {} ({}: {} ms) hide {:.0f} % of {}", options.prob,
                  options.length, config::enum_name(options.sampler), 40 * options.length,
                  100 * share, modality);
  const auto median = lengths[lengths.size() / 2];
  if (share > kNextToAll) {
    throw ConfigError(fmt::format(
        "{}, whose clips have {} frames in the median: a student that is shown next to nothing "
        "learns nothing; give a smaller mask.prob or mask.length",
        settings, median));
  }
  log::info("masks: {}", settings);
  const auto longer = std::ranges::upper_bound(lengths, options.length);
  const auto covered = longer - lengths.begin();
  if (covered == 0) return;
  log::warn(
      "mask.length {}: {:.0f} % of the clips have no more frames than that, so that a span hides "
      "them but for a frame or two; the median has {}",
      options.length, 100.0 * static_cast<double>(covered) / static_cast<double>(lengths.size()),
      median);
}

}  // namespace

void check_masks(const config::PretrainConfig& config, const data::Manifest& training) {
  const auto lengths = lengths_of(training);
  if (config.loss.has_student(config::Modality::kVideo))
    check("video", data::video_spans(config.mask), lengths);
  if (config.loss.has_student(config::Modality::kAudio))
    check("audio", data::audio_spans(config.mask), lengths);
}

}  // namespace raven::train
