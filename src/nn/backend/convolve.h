// Convolutions. Which products or operators compute them is decided here.
#pragma once

#include <torch/torch.h>

#include <array>

namespace raven::nn::backend {

/// Of height and width.
struct ConvolutionSteps {
  std::array<std::int64_t, 2> stride = {1, 1}, padding = {0, 0};
};

/// x (N, C, H, W) in channels-last memory, weight (C', C, h, w) -> (N, C', H', W') in channels-last
/// memory, no bias. Differentiable once.
torch::Tensor convolve(const torch::Tensor& x, const torch::Tensor& weight,
                       const ConvolutionSteps& steps);

/// How many channels a convolution of x with so few of them is fastest with; those added are to
/// have weights of 0.
std::int64_t padded_channels(const torch::Tensor& x, std::int64_t channels);

}  // namespace raven::nn::backend
