// Convolutions on a CPU whose weight gradients are matrix products.
#pragma once

#include <torch/torch.h>

#include <array>

namespace raven::nn {

/// Of height and width.
struct ConvolutionSteps {
  std::array<std::int64_t, 2> stride = {1, 1}, padding = {0, 0};
};

/// True where matrix products compute a weight gradient faster than oneDNN, which takes two to four
/// times as long for channels-last memory on AVX2 (tests/bench/RESULTS.md): float32 on the CPU, in
/// one dimension or with many channels, with a gradient to compute.
bool products_take_gradient(const torch::Tensor& x, const torch::Tensor& weight);

/// x (N, C, H, W) in channels-last memory, weight (C', C, h, w) -> (N, C', H', W') in channels-last
/// memory, no bias. Differentiable once.
torch::Tensor convolve(const torch::Tensor& x, const torch::Tensor& weight,
                       const ConvolutionSteps& steps);

}  // namespace raven::nn
