// Convolutions on a CPU whose weight gradients are matrix products.
#pragma once

#include "nn/backend/convolve.h"

namespace raven::nn::backend {

/// True where matrix products compute a weight gradient faster than oneDNN, which takes two to four
/// times as long for channels-last memory on AVX2 (tests/bench/RESULTS.md): float32 on the CPU, in
/// one dimension or with many channels, with a gradient to compute.
bool can_use_gradient_products(const torch::Tensor& x, const torch::Tensor& weight);

/// As `convolve`.
torch::Tensor convolve_on_cpu(const torch::Tensor& x, const torch::Tensor& weight,
                              const ConvolutionSteps& steps);

}  // namespace raven::nn::backend
