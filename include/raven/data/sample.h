// One utterance and one batch.
// Shapes: B utterances, T frames of the longest one (25 Hz), H x W pixels, N = 640 T samples (16
// kHz), U units of the longest label.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>
#include <vector>

namespace raven::data {

struct Sample {
  std::string id;
  torch::Tensor video;  // (T, H, W) uint8 grey, after crop and flip; normalised on the device
  torch::Tensor audio;  // (N) float32
  std::int64_t frames = 0;
};

/// Tensors of what the loader was not asked to read are undefined.
struct Batch {
  std::vector<std::string> ids;  // B
  // Of each utterance, for the host, which then need not wait for the device to know them:
  std::vector<std::int64_t> num_frames_of, num_labels_of;  // the latter with labels only
  // (B, T, H, W) grey from 0 to 255, 0 beyond an utterance's end; uint8, or float32 where one of
  // the loader's lists has crops in colour, whose grey is not rounded
  torch::Tensor video;
  torch::Tensor teacher_video;  // as video under another crop and flip; where it was asked for
  torch::Tensor audio;          // (B, N) float32, 0 beyond the end
  torch::Tensor lengths;        // (B) int64, frames
  torch::Tensor masked_video;   // (B, T) bool, true = the video network does not see it
  torch::Tensor masked_audio;   // (B, T) bool; undefined tensors when the loader draws no masks
  torch::Tensor labels;  // (B, U) int64 unit ids, -1 beyond the end; undefined without labels
  std::int64_t epoch = 0, index = 0;  // which batch of which epoch

  /// The same on another device; from pinned memory without waiting.
  [[nodiscard]] Batch to(const torch::Device& device) const;
  /// Utterance b alone, without padding; a view, without `labels`.
  [[nodiscard]] Batch row(std::int64_t b) const;
  [[nodiscard]] std::int64_t num_frames() const;  // real frames, without padding; from CPU lengths
};

/// uint8 or float32 grey (...) -> float32, (0.9999 x / 255 - 0.421) / 0.165: published grey weights
/// sum to 0.9999. Pixel 0 becomes -2.55, so what should be 0 beyond an utterance's end is set
/// afterwards.
torch::Tensor normalise_video(const torch::Tensor& video);

}  // namespace raven::data
