#include "raven/data/transforms.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "raven/core/error.h"
#include "raven/corpus/grey.h"

namespace raven::data {
namespace {

/// `count` bytes in reverse order, eight at a time.
void copy_mirrored(const std::uint8_t* from, std::int64_t count, std::uint8_t* to) {
  const std::uint8_t* end = from + count;
  for (; count >= 8; count -= 8, to += 8) {
    end -= 8;
    std::uint64_t word;
    std::memcpy(&word, end, 8);
    word = __builtin_bswap64(word);
    std::memcpy(to, &word, 8);
  }
  std::reverse_copy(from, from + count, to);
}

/// One row of averages over shrink x shrink squares, rounded to nearest.
void shrink_row(const std::uint8_t* from, std::int64_t stride, std::int64_t shrink,
                std::int64_t count, std::uint8_t* to) {
  const auto area = static_cast<unsigned>(shrink * shrink);
  for (std::int64_t x = 0; x < count; ++x) {
    unsigned sum = area / 2;
    for (std::int64_t dy = 0; dy < shrink; ++dy) {
      for (std::int64_t dx = 0; dx < shrink; ++dx) sum += from[dy * stride + x * shrink + dx];
    }
    to[x] = static_cast<std::uint8_t>(sum / area);
  }
}

std::int64_t shrunk_side(const config::VideoInputConfig& config) {
  return config.window / config.shrink;
}

}  // namespace

void check_video_input(const config::VideoInputConfig& config) {
  if (config.window < 1 || config.window > kStoredSide || config.shrink < 1 ||
      config.window % config.shrink != 0) {
    throw ConfigError(
        fmt::format("data.video.shrink is {}, expected a divisor of data.video.window ({}), which "
                    "is at most {}",
                    config.shrink, config.window, kStoredSide));
  }
  if (config.crop < 1 || config.crop > shrunk_side(config)) {
    throw ConfigError(
        fmt::format("data.video.crop is {}, but the window of {} pixels shrunk by {} has only {}",
                    config.crop, config.window, config.shrink, shrunk_side(config)));
  }
}

Placement draw_placement(const config::VideoInputConfig& config, Random& random) {
  const auto places = shrunk_side(config) - config.crop + 1;
  Placement placement;
  placement.top = random.below(places);
  placement.left = random.below(places);
  placement.flip = random.chance(config.flip);
  return placement;
}

Placement centre_placement(const config::VideoInputConfig& config) {
  const auto room = shrunk_side(config) - config.crop;
  return {.top = room / 2, .left = room / 2, .flip = false};
}

FrameCutter::FrameCutter(const config::VideoInputConfig& config, const Placement& placement)
    : shrink_(config.shrink), crop_(config.crop), top_(0), left_(0), flip_(placement.flip) {
  check_video_input(config);
  const auto room = shrunk_side(config) - config.crop;
  RAVEN_CHECK(
      placement.top >= 0 && placement.top <= room && placement.left >= 0 && placement.left <= room,
      "crop at ({}, {}), room for {}", placement.top, placement.left, room);
  const auto border = (kStoredSide - config.window) / 2;
  top_ = border + placement.top * shrink_;
  left_ = border + placement.left * shrink_;
}

void FrameCutter::cut(const std::uint8_t* frame, std::int64_t stride, std::uint8_t* out) const {
  const auto* from = frame + top_ * stride + left_;
  for (std::int64_t y = 0; y < crop_; ++y, from += shrink_ * stride, out += crop_) {
    if (shrink_ > 1) {
      shrink_row(from, stride, shrink_, crop_, out);
      if (flip_) std::reverse(out, out + crop_);
    } else if (flip_) {
      copy_mirrored(from, crop_, out);
    } else {
      std::memcpy(out, from, static_cast<std::size_t>(crop_));
    }
  }
}

void FrameCutter::cut_colour(const std::uint8_t* frame, std::int64_t stride, float* out) const {
  constexpr std::int64_t kChannels = 3;
  const auto area = static_cast<float>(shrink_ * shrink_);
  const auto* from = frame + top_ * stride + left_ * kChannels;
  for (std::int64_t y = 0; y < crop_; ++y, from += shrink_ * stride, out += crop_) {
    for (std::int64_t x = 0; x < crop_; ++x) {
      float sum = 0;
      for (std::int64_t dy = 0; dy < shrink_; ++dy) {
        for (std::int64_t dx = 0; dx < shrink_; ++dx)
          sum += corpus::grey_level(from + dy * stride + (x * shrink_ + dx) * kChannels);
      }
      out[flip_ ? crop_ - 1 - x : x] = sum / area;
    }
  }
}

torch::Tensor published_video(const torch::Tensor& clip, const Placement& placement,
                              std::int64_t crop) {
  RAVEN_CHECK(clip.dim() == 4 && (clip.size(0) == 3 || clip.size(0) == 1),
              "clip is not (C, T, H, W)");
  auto x = clip.to(torch::kFloat32).div_(255);                           // (C, T, H, W)
  x = x.narrow(2, placement.top, crop).narrow(3, placement.left, crop);  // (C, T, h, w)
  if (placement.flip) x = x.flip({3});
  using Weights = corpus::GreyWeights;
  x = Weights::kRed * x[0] + Weights::kGreen * x[x.size(0) == 3 ? 1 : 0] +
      Weights::kBlue * x[x.size(0) == 3 ? 2 : 0];  // (T, h, w)
  return (x - 0.421) / 0.165;
}

void normalise_waveform(std::span<float> samples) {
  if (samples.empty()) return;
  constexpr double kSmallestDeviation = 1e-7;  // far below one step of 16-bit audio
  double sum = 0, squares = 0;
  for (const double x : samples) sum += x;
  const double mean = sum / static_cast<double>(samples.size());
  for (const double x : samples) squares += (x - mean) * (x - mean);
  const double deviation = std::sqrt(squares / static_cast<double>(samples.size()));
  const double scale = deviation > kSmallestDeviation ? 1 / deviation : 0;
  for (auto& x : samples) x = static_cast<float>((x - mean) * scale);
}

std::vector<Run> adaptive_time_masks(std::int64_t length, std::int64_t window, std::int64_t stride,
                                     const std::function<std::int64_t(std::int64_t)>& below) {
  const auto num_masks = (length + stride - 1) / stride;
  std::vector<std::pair<std::int64_t, std::int64_t>> limit_and_width(
      static_cast<std::size_t>(num_masks));
  for (auto& [limit, width] : limit_and_width) {
    limit = below(window);
    width = below(window);
  }
  std::vector<Run> runs;
  for (const auto& [limit, width] : limit_and_width) {
    if (limit >= length) continue;
    const auto begin = below(length - limit);
    if (limit == 0 || width == 0) continue;
    runs.push_back({begin, std::min(length, begin + width)});
  }
  std::sort(runs.begin(), runs.end(), [](const Run& a, const Run& b) { return a.begin < b.begin; });
  std::vector<Run> merged;
  for (const auto& run : runs) {
    if (!merged.empty() && run.begin <= merged.back().end) {
      merged.back().end = std::max(merged.back().end, run.end);
    } else {
      merged.push_back(run);
    }
  }
  return merged;
}

}  // namespace raven::data
