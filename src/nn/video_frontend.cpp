#include "raven/nn/video_frontend.h"

#include <cmath>

#include "nn/backend/convolve.h"
#include "nn/backend/working_precision.h"
#include "raven/core/error.h"

namespace raven::nn {
namespace {

constexpr std::int64_t kStemFrames = 5;
constexpr std::int64_t kStemPixels = 7;

struct WeightImpl : torch::nn::Module {
  explicit WeightImpl(torch::Tensor value) { register_parameter("weight", std::move(value)); }
};
TORCH_MODULE(Weight);

/// Each frame with its two neighbours before it and `channels` - 3 behind it as channels, zeros
/// beyond the ends: (B, T, h, w) -> (B T, channels, h, w) in channels-last memory.
torch::Tensor stack_neighbours(const torch::Tensor& x, std::int64_t channels) {
  constexpr auto kReach = kStemFrames / 2;
  const auto padded = torch::constant_pad_nd(x, {0, 0, 0, 0, kReach, channels - 1 - kReach});
  return padded
      .unfold(1, channels, 1)  // (B, T, h, w, channels)
      .flatten(0, 1)
      .contiguous()
      .permute({0, 3, 1, 2});
}

}  // namespace

VideoFrontendImpl::VideoFrontendImpl(const config::FrontendConfig& options) {
  auto trunk = std::make_shared<torch::nn::Module>("trunk");
  stages_ = std::make_unique<ResidualStages>(*trunk, Dimensions::kTwo, options.widths);
  register_module("trunk", trunk);
  const auto channels = options.widths.front();
  stem_weight = torch::empty({channels, 1, kStemFrames, kStemPixels, kStemPixels});
  torch::nn::init::kaiming_uniform_(stem_weight, std::sqrt(5.0));
  stem_weight.requires_grad_();
  Weight convolution(stem_weight);
  stem_norm = BatchNorm(channels);
  torch::nn::ModuleList frontend3D;
  frontend3D->push_back(convolution);
  frontend3D->push_back(stem_norm);
  register_module("frontend3D", frontend3D);
}

torch::Tensor VideoFrontendImpl::stem(const torch::Tensor& x) {
  // One channel and five frames: as a 2-D convolution over five channels it is the same sum, and
  // twice as fast as a 3-D convolution. More channels are more frames, with weights of 0.
  const auto channels = backend::padded_channels(x, kStemFrames);
  const auto weight =
      torch::constant_pad_nd(stem_weight.squeeze(1), {0, 0, 0, 0, 0, channels - kStemFrames});
  const auto stacked = stack_neighbours(backend::in_working_precision(x), channels);
  constexpr auto kPadding = kStemPixels / 2;
  return stem_norm->after_stem(
      backend::convolve(stacked, weight, {.stride = {2, 2}, .padding = {kPadding, kPadding}}));
}

torch::Tensor VideoFrontendImpl::forward(const torch::Tensor& x) {
  RAVEN_CHECK(x.dim() == 4, "video has {} dimensions", x.dim());
  const auto features = (*stages_)(stem(x));  // (B T, C, h / 32, w / 32)
  return features.mean({2, 3}).view({x.size(0), x.size(1), -1});
}

}  // namespace raven::nn
