// From stored mouth crops and waveforms to what the models see.
// Shapes: T frames, H x W stored pixels, C colours.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "raven/config/run_config.h"
#include "raven/core/random.h"

namespace raven::data {

inline constexpr std::int64_t kStoredSide = 96;  // pixels of a stored mouth crop, both ways

/// Where a clip's input is cut from its (shrunk) window; one place for all frames of a clip.
struct Placement {
  std::int64_t top = 0, left = 0;  // pixels
  bool flip = false;               // mirrored left to right
};

/// Throws ConfigError when shrink does not divide window or crop does not fit into what is left.
void check_video_input(const config::VideoInputConfig& config);

Placement draw_placement(const config::VideoInputConfig& config, Random& random);
Placement centre_placement(const config::VideoInputConfig& config);

/// Cuts the model's input from stored frames: centre window, average over squares, crop, flip.
class FrameCutter {
 public:
  FrameCutter(const config::VideoInputConfig& config, const Placement& placement);

  [[nodiscard]] std::int64_t side() const { return crop_; }

  /// frame: kStoredSide x kStoredSide pixels, `stride` bytes from row to row; out: side() x side(),
  /// dense.
  void cut(const std::uint8_t* frame, std::int64_t stride, std::uint8_t* out) const;

  /// The same of pixels of R, G, B, as grey without rounding (corpus::grey_level).
  void cut_colour(const std::uint8_t* frame, std::int64_t stride, float* out) const;

 private:
  std::int64_t shrink_, crop_, top_, left_;  // top_, left_: in stored pixels
  bool flip_;
};

/// The published transform of a colour or grey clip (C, T, H, W) uint8, C = 3 or 1, as float32
/// (T, crop, crop): / 255, crop, flip, grey = 0.2989 R + 0.587 G + 0.114 B, (x - 0.421) / 0.165.
torch::Tensor published_video(const torch::Tensor& clip, const Placement& placement,
                              std::int64_t crop);

/// To mean 0 and (biased) deviation 1; a constant waveform becomes 0.
void normalise_waveform(std::span<float> samples);

/// Elements [begin, end) of an axis.
struct Run {
  std::int64_t begin = 0, end = 0;
  bool operator==(const Run&) const = default;
};

/// Adaptive time masking of an axis of `length` elements: about one run for each `stride` elements,
/// each shorter than `window`. `below(n)` draws from {0, ..., n - 1}; first two numbers (limit,
/// width) for every run, then the starts. Runs ascend and do not touch.
std::vector<Run> adaptive_time_masks(std::int64_t length, std::int64_t window, std::int64_t stride,
                                     const std::function<std::int64_t(std::int64_t n)>& below);

}  // namespace raven::data
