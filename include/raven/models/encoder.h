// Encoder of one modality: convolutional frontend, embedding with relative positions, transformer.
// Shapes: B utterances, T frames (25 Hz), D width, h x w pixels, N = 640 T samples (16 kHz), L
// blocks.
#pragma once

#include <torch/torch.h>

#include <functional>
#include <optional>
#include <vector>

#include "raven/config/model_config.h"
#include "raven/nn/audio_frontend.h"
#include "raven/nn/transformer.h"
#include "raven/nn/video_frontend.h"

namespace raven::models {

using config::Modality;

struct EncoderOutput {
  torch::Tensor last;                 // (B, T, D) after after_norm
  std::vector<torch::Tensor> blocks;  // each (B, T, D): the residual stream after each block
  torch::Tensor embedded;             // (B, T, D): what the first block takes
};

/// How the outputs of several blocks become one.
struct BlockMean {
  std::optional<std::int64_t> blocks = {};  // so many up to `last`; empty: all of them
  std::optional<std::int64_t> last = {};    // counted from 1, none behind it is run; empty: L
  std::function<torch::Tensor(const torch::Tensor&)> of_each = {};  // before the mean; may be empty
};

/// Keys: frontend..., embed.0 (embed.mask_emb and embed.linear with a mask token), encoders.{i}...,
/// after_norm.
class EncoderImpl : public torch::nn::Module {
 public:
  EncoderImpl(Modality modality, const config::EncoderConfig& options,
              const config::FrontendConfig& frontend_options);

  /// x: video (B, T, h, w) or audio (B, N, 1); valid (B, T) bool or undefined (all frames are
  /// real). masked (B, T) bool is read only with options.mask_token; undefined: nothing is masked.
  /// Returns (B, T, D), meaningless where !valid.
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& valid = {},
                        const torch::Tensor& masked = {});
  /// The two halves of `forward`, for a frontend whose outputs are kept: x -> features (B, T, C),
  /// C the frontend's last width; features -> (B, T, D).
  torch::Tensor frontend(const torch::Tensor& x);
  torch::Tensor from_features(const torch::Tensor& features, const torch::Tensor& valid = {},
                              const torch::Tensor& masked = {});
  /// `forward` with the output of every block; and the same from the frontend's features on.
  EncoderOutput all_blocks(const torch::Tensor& x, const torch::Tensor& valid = {},
                           const torch::Tensor& masked = {});
  EncoderOutput all_from_features(const torch::Tensor& features, const torch::Tensor& valid = {},
                                  const torch::Tensor& masked = {});
  /// Mean of the blocks' outputs, without after_norm (B, T, D). Keeps one block's output at a time.
  torch::Tensor mean_of_blocks(const torch::Tensor& x, const torch::Tensor& valid = {},
                               const torch::Tensor& masked = {}, const BlockMean& options = {});

 private:
  /// Calls `see` with 0 and what the first block takes, then with i and the i-th block's output, up
  /// to block `count`; returns its output.
  using See = std::function<void(std::size_t i, const torch::Tensor&)>;
  torch::Tensor run_blocks(const torch::Tensor& features, const torch::Tensor& valid,
                           const torch::Tensor& masked, const See& see, std::size_t count);

  nn::VideoFrontend video_frontend{nullptr};
  nn::AudioFrontend audio_frontend{nullptr};  // one of the two, registered as "frontend"
  nn::InputEmbedding embed{nullptr};
  torch::nn::ModuleList encoders;
  torch::nn::LayerNorm after_norm{nullptr};
};
TORCH_MODULE(Encoder);

}  // namespace raven::models
