#include "raven/nn/residual.h"

#include <cmath>

#include "nn/backend/convolve.h"
#include "raven/core/error.h"

namespace raven::nn {

ConvolutionImpl::ConvolutionImpl(const Options& options) : options_(options) {
  std::vector<std::int64_t> shape = {options.out_channels, options.in_channels, options.kernel};
  if (options.dimensions == Dimensions::kTwo) shape.push_back(options.kernel);
  weight = register_parameter("weight", torch::empty(shape));
  torch::nn::init::kaiming_uniform_(weight, std::sqrt(5.0));
}

torch::Tensor ConvolutionImpl::forward(const torch::Tensor& x) {
  const auto stride = options_.stride, padding = (options_.kernel - 1) / 2;
  if (options_.dimensions == Dimensions::kTwo) {
    return backend::convolve(x, weight,
                             {.stride = {stride, stride}, .padding = {padding, padding}});
  }
  return backend::convolve(x, weight.unsqueeze(2),
                           {.stride = {1, stride}, .padding = {0, padding}});
}

BasicBlockImpl::BasicBlockImpl(Dimensions dimensions, std::int64_t in_channels,
                               std::int64_t out_channels, std::int64_t stride) {
  conv1 =
      register_module("conv1", Convolution(ConvolutionImpl::Options{.dimensions = dimensions,
                                                                    .in_channels = in_channels,
                                                                    .out_channels = out_channels,
                                                                    .stride = stride}));
  bn1 = register_module("bn1", BatchNorm(out_channels));
  conv2 = register_module(
      "conv2",
      Convolution(ConvolutionImpl::Options{
          .dimensions = dimensions, .in_channels = out_channels, .out_channels = out_channels}));
  bn2 = register_module("bn2", BatchNorm(out_channels));
  if (stride == 1 && in_channels == out_channels) return;
  shortcut_convolution = Convolution(ConvolutionImpl::Options{.dimensions = dimensions,
                                                              .in_channels = in_channels,
                                                              .out_channels = out_channels,
                                                              .kernel = 1,
                                                              .stride = stride});
  shortcut_norm = BatchNorm(out_channels);
  torch::nn::ModuleList downsample;
  downsample->push_back(shortcut_convolution);
  downsample->push_back(shortcut_norm);
  register_module("downsample", downsample);
}

torch::Tensor BasicBlockImpl::forward(const torch::Tensor& x) {
  auto y = bn1->after_convolution(conv1(x), {.silu = true});
  auto shortcut = x;
  if (!shortcut_convolution.is_empty()) {
    shortcut = shortcut_norm->after_convolution(shortcut_convolution(x), {});
  }
  return bn2->after_convolution(conv2(y), {.silu = true, .residual = shortcut});
}

ResidualStages::ResidualStages(torch::nn::Module& owner, Dimensions dimensions,
                               const std::vector<std::int64_t>& widths) {
  RAVEN_CHECK(widths.size() == 4, "a frontend has {} stage widths", widths.size());
  auto in_channels = widths.front();
  for (std::size_t i = 0; i < widths.size(); ++i) {
    torch::nn::ModuleList stage;
    for (const std::int64_t stride : {i == 0 ? 1 : 2, 1}) {
      blocks_.emplace_back(dimensions, in_channels, widths[i], stride);
      stage->push_back(blocks_.back());
      in_channels = widths[i];
    }
    owner.register_module(fmt::format("layer{}", i + 1), stage);
  }
}

torch::Tensor ResidualStages::operator()(torch::Tensor x) const {
  for (auto block : blocks_) x = block(x);
  return x;
}

}  // namespace raven::nn
