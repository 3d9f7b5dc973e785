// 3-D stem and ResNet-18 on each frame (docs/method.md, section 1).
// Shapes: B utterances, T frames (25 Hz), h x w pixels, C channels of the last stage.
#pragma once

#include <torch/torch.h>

#include <memory>

#include "raven/config/model_config.h"
#include "raven/nn/residual.h"

namespace raven::nn {

/// Keys: trunk.layer{1..4}..., frontend3D.0 (5 x 7 x 7 convolution), frontend3D.1 (its norm).
class VideoFrontendImpl : public torch::nn::Module {
 public:
  explicit VideoFrontendImpl(const config::FrontendConfig& options);

  /// x (B, T, h, w) -> (B, T, C).
  torch::Tensor forward(const torch::Tensor& x);

 private:
  torch::Tensor stem(const torch::Tensor& x);

  std::unique_ptr<ResidualStages> stages_;
  torch::Tensor stem_weight;  // (C_1, 1, 5, 7, 7)
  BatchNorm stem_norm{nullptr};
};
TORCH_MODULE(VideoFrontend);

}  // namespace raven::nn
