#include "nn/backend/convolve_cpu.h"

#include <ATen/autocast_mode.h>

#include <algorithm>

namespace raven::nn::backend {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// With fewer channels in two dimensions oneDNN's own gradient is as fast.
constexpr std::int64_t kManyChannels = 128;
/// Of the windows that lie in memory at a time: 4 MiB.
constexpr std::int64_t kWindowFloats = 1 << 20;

/// What a backward pass needs; tensors (N, H, W, C) and (N, H', W', C').
struct Gradient {
  torch::Tensor x, of_output;
  std::int64_t height = 1, width = 1;  // of the kernel
  ConvolutionSteps steps;
};

/// One dimension: a product for each place in the kernel, over the positions whose input is not
/// padding; nothing is copied. (w, C, C').
torch::Tensor along_lines(const Gradient& g) {
  const auto samples = g.x.size(2), outputs = g.of_output.size(2);
  const auto stride = g.steps.stride[1], padding = g.steps.padding[1];
  auto sum = torch::zeros({g.width, g.x.size(3), g.of_output.size(3)}, g.x.options());
  for (std::int64_t k = 0; k < g.width; ++k) {
    // Output o reads sample o * stride + shift.
    const auto shift = k - padding;
    const auto first = shift < 0 ? (-shift + stride - 1) / stride : 0;
    const auto last = std::min(outputs - 1, (samples - 1 - shift) / stride);
    if (samples - 1 < shift || first > last) continue;
    const auto at = [&](std::int64_t o) { return o * stride + shift; };
    for (std::int64_t n = 0; n < g.x.size(0); ++n) {
      const auto read = g.x[n][0].slice(0, at(first), at(last) + 1, stride);  // (positions, C)
      sum[k].addmm_(read.t(), g.of_output[n][0].slice(0, first, last + 1));
    }
  }
  return sum;
}

/// Two dimensions: windows of some images at a time, laid out as rows. (h w, C, C').
torch::Tensor over_images(const Gradient& g) {
  const auto images = g.x.size(0), channels = g.x.size(3), out_channels = g.of_output.size(3);
  const auto [vertical, horizontal] = g.steps.padding;
  const auto padded = torch::constant_pad_nd(
      g.x, {0, 0, horizontal, horizontal, vertical, vertical});  // (N, H + 2, W + 2, C)
  const auto taps = g.height * g.width;
  const auto positions = g.of_output.size(1) * g.of_output.size(2);
  const auto at_once = std::max<std::int64_t>(1, kWindowFloats / (positions * taps * channels));
  const auto line = padded.stride(1);
  auto sum = torch::zeros({taps * channels, out_channels}, g.x.options());
  for (std::int64_t n = 0; n < images; n += at_once) {
    const auto count = std::min(at_once, images - n);
    const auto windows = padded.narrow(0, n, count)
                             .as_strided({count, g.of_output.size(1), g.of_output.size(2), g.height,
                                          g.width, channels},
                                         {padded.stride(0), line * g.steps.stride[0],
                                          channels * g.steps.stride[1], line, channels, 1})
                             .reshape({-1, taps * channels});
    sum.addmm_(windows.t(), g.of_output.narrow(0, n, count).reshape({-1, out_channels}));
  }
  return sum.view({taps, channels, out_channels});
}

struct Convolve : torch::autograd::Function<Convolve> {
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& weight, const ConvolutionSteps& steps) {
    context->save_for_backward({x, weight});
    context->saved_data["steps"] = std::vector<std::int64_t>{steps.stride[0], steps.stride[1],
                                                             steps.padding[0], steps.padding[1]};
    return torch::conv2d(x, weight, {}, steps.stride, torch::IntArrayRef(steps.padding));
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1];
    const auto steps = context->saved_data["steps"].toIntVector();
    const auto gradient = gradients[0].contiguous(torch::MemoryFormat::ChannelsLast);
    torch::Tensor of_x, of_weight;
    if (context->needs_input_grad(0)) {
      of_x = std::get<0>(torch::convolution_backward(
          gradient, x, weight, std::nullopt, {steps[0], steps[1]}, {steps[2], steps[3]}, {1, 1},
          /*transposed=*/false, {0, 0}, /*groups=*/1, {true, false, false}));
    }
    if (context->needs_input_grad(1)) {
      const Gradient g{.x = x.permute({0, 2, 3, 1}).contiguous(),
                       .of_output = gradient.permute({0, 2, 3, 1}).contiguous(),
                       .height = weight.size(2),
                       .width = weight.size(3),
                       .steps = {.stride = {steps[0], steps[1]}, .padding = {steps[2], steps[3]}}};
      const bool lines = g.height == 1 && g.x.size(1) == 1;
      of_weight = (lines ? along_lines(g) : over_images(g))
                      .view({g.height, g.width, weight.size(1), weight.size(0)})
                      .permute({3, 2, 0, 1});
    }
    return {of_x, of_weight, {}};
  }
};

}  // namespace

bool can_use_gradient_products(const torch::Tensor& x, const torch::Tensor& weight) {
  const bool computes = torch::GradMode::is_enabled() && weight.requires_grad();
  return computes && x.device().is_cpu() && x.scalar_type() == torch::kFloat32 &&
         weight.scalar_type() == torch::kFloat32 &&
         !at::autocast::is_autocast_enabled(torch::kCPU) &&
         (weight.size(2) == 1 || weight.size(1) >= kManyChannels);
}

torch::Tensor convolve_on_cpu(const torch::Tensor& x, const torch::Tensor& weight,
                              const ConvolutionSteps& steps) {
  return Convolve::apply(x, weight, steps);
}

}  // namespace raven::nn::backend
