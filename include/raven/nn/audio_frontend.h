// 1-D ResNet-18 on the waveform (docs/method.md, section 1).
// Shapes: B utterances, T frames (25 Hz), N samples (16 kHz), C channels of the last stage.
#pragma once

#include <torch/torch.h>

#include <memory>

#include "raven/config/model_config.h"
#include "raven/nn/residual.h"

namespace raven::nn {

/// Keys: trunk.conv1 (80 samples, stride 4), trunk.bn1, trunk.layer{1..4}...
class AudioFrontendImpl : public torch::nn::Module {
 public:
  explicit AudioFrontendImpl(const config::FrontendConfig& options);

  /// x (B, N, 1) -> (B, T, C) with T = floor(N / 640); samples of a last partial frame are dropped.
  torch::Tensor forward(const torch::Tensor& x);

 private:
  torch::Tensor stem(const torch::Tensor& x);

  torch::Tensor stem_weight;  // (C_1, 1, 80)
  BatchNorm stem_norm{nullptr};
  std::unique_ptr<ResidualStages> stages_;
};
TORCH_MODULE(AudioFrontend);

}  // namespace raven::nn
