// The ResNet-18 stages of both frontends. One-dimensional convolutions run as two-dimensional ones
// of height 1, so both share their code; only the stored weights have one dimension fewer. Shapes:
// N images or waveforms, C channels, H x W positions (H = 1 in one dimension).
#pragma once

#include <torch/torch.h>

#include <vector>

#include "raven/nn/batch_norm.h"

namespace raven::nn {

enum class Dimensions { kOne, kTwo };

/// Bias-free convolution that keeps the size up to its stride: padding (kernel - 1) / 2. Key:
/// weight.
class ConvolutionImpl : public torch::nn::Module {
 public:
  struct Options {
    Dimensions dimensions = Dimensions::kTwo;
    std::int64_t in_channels = 1, out_channels = 1;
    std::int64_t kernel = 3;
    std::int64_t stride = 1;
  };
  explicit ConvolutionImpl(const Options& options);

  /// x (N, C, H, W) in channels-last memory -> the same with out_channels.
  torch::Tensor forward(const torch::Tensor& x);

  torch::Tensor weight;  // (C_out, C_in, k) or (C_out, C_in, k, k)

 private:
  Options options_;
};
TORCH_MODULE(Convolution);

/// SiLU(x + BN(conv(SiLU(BN(conv(x)))))); the shortcut is a 1 x 1 convolution where the shape
/// changes. Keys: conv1, bn1, conv2, bn2, and downsample.0, downsample.1 with such a shortcut.
class BasicBlockImpl : public torch::nn::Module {
 public:
  BasicBlockImpl(Dimensions dimensions, std::int64_t in_channels, std::int64_t out_channels,
                 std::int64_t stride);

  torch::Tensor forward(const torch::Tensor& x);

 private:
  Convolution conv1{nullptr}, conv2{nullptr}, shortcut_convolution{nullptr};
  BatchNorm bn1{nullptr}, bn2{nullptr}, shortcut_norm{nullptr};
};
TORCH_MODULE(BasicBlock);

/// layer1 to layer4, two blocks each; every stage but the first halves the resolution. They are
/// children of the module that holds them, so they are made by this function instead of a module of
/// their own.
class ResidualStages {
 public:
  /// Registers the stages in `owner`. Throws InternalError unless there are four widths.
  ResidualStages(torch::nn::Module& owner, Dimensions dimensions,
                 const std::vector<std::int64_t>& widths);

  torch::Tensor operator()(torch::Tensor x) const;

 private:
  std::vector<BasicBlock> blocks_;
};

}  // namespace raven::nn
