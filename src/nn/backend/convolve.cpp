#include "nn/backend/convolve.h"

#include <algorithm>
#include <limits>

#include "nn/backend/convolve_cpu.h"

namespace raven::nn::backend {
namespace {

constexpr std::int64_t kTensorCoreChannels = 8;

/// oneDNN's 1 x 1 convolution (LibTorch 2.11, AVX-512) writes beyond its memory when it computes
/// the weight gradient of 8 channels.
bool must_multiply_pixels(const torch::Tensor& x, const torch::Tensor& weight) {
  return x.device().is_cpu() && weight.size(2) == 1 && weight.size(3) == 1;
}

/// A matrix product over pixels.
torch::Tensor multiply_pixels(const torch::Tensor& x, const torch::Tensor& weight,
                              const ConvolutionSteps& steps) {
  const auto everything = std::numeric_limits<std::int64_t>::max();
  const auto pixels =
      x.slice(3, 0, everything, steps.stride[1]).slice(2, 0, everything, steps.stride[0]);
  const auto y = torch::matmul(pixels.permute({0, 2, 3, 1}), weight.flatten(1).t());
  return y.permute({0, 3, 1, 2});
}

}  // namespace

torch::Tensor convolve(const torch::Tensor& x, const torch::Tensor& weight,
                       const ConvolutionSteps& steps) {
  if (must_multiply_pixels(x, weight)) return multiply_pixels(x, weight, steps);
  if (can_use_gradient_products(x, weight)) return convolve_on_cpu(x, weight, steps);
  return torch::conv2d(x, weight, {}, steps.stride, torch::IntArrayRef(steps.padding));
}

std::int64_t padded_channels(const torch::Tensor& x, std::int64_t channels) {
  return x.is_cuda() ? std::max(channels, kTensorCoreChannels) : channels;
}

}  // namespace raven::nn::backend
