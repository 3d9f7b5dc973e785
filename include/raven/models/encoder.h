// Encoder of one modality: convolutional frontend, embedding with relative positions, transformer.
// Shapes: B utterances, T frames (25 Hz), D width, h x w pixels, N = 640 T samples (16 kHz), L blocks.
#pragma once

#include <torch/torch.h>

#include <vector>

#include "raven/config/model_config.h"

namespace raven::models {

enum class Modality { kVideo, kAudio };

struct EncoderOutput {
  torch::Tensor last;                 // (B, T, D) after after_norm
  std::vector<torch::Tensor> blocks;  // each (B, T, D): the residual stream after each block
};

class EncoderImpl : public torch::nn::Module {
 public:
  EncoderImpl(Modality modality, const config::EncoderConfig& options,
              const config::FrontendConfig& frontend_options);

  /// x: video (B, T, h, w) or audio (B, N, 1); valid (B, T) bool or undefined (all frames are real).
  /// masked (B, T) bool, only with options.mask_token. Returns (B, T, D), meaningless where !valid.
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& valid = {},
                        const torch::Tensor& masked = {});
  /// The same with the output of every block.
  EncoderOutput all_blocks(const torch::Tensor& x, const torch::Tensor& valid = {},
                           const torch::Tensor& masked = {});
};
TORCH_MODULE(Encoder);

}  // namespace raven::models
