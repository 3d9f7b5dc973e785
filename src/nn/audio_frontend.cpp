#include "raven/nn/audio_frontend.h"

#include <cmath>

#include "raven/core/error.h"
#include "raven/media/media.h"

namespace raven::nn {
namespace {

constexpr std::int64_t kStemSamples = 80;
constexpr std::int64_t kStemStride = 4;
constexpr std::int64_t kStemPadding = 38;

struct WeightImpl : torch::nn::Module {
  explicit WeightImpl(torch::Tensor value) { register_parameter("weight", std::move(value)); }
};
TORCH_MODULE(Weight);

}  // namespace

AudioFrontendImpl::AudioFrontendImpl(const config::FrontendConfig& options) {
  RAVEN_CHECK(!options.widths.empty(), "an audio frontend without widths");
  const auto channels = options.widths.front();
  stem_weight = torch::empty({channels, 1, kStemSamples});
  torch::nn::init::kaiming_uniform_(stem_weight, std::sqrt(5.0));
  stem_weight.requires_grad_();
  auto trunk = std::make_shared<torch::nn::Module>("trunk");
  trunk->register_module("conv1", Weight(stem_weight).ptr());
  stem_norm = BatchNorm(channels);
  trunk->register_module("bn1", stem_norm.ptr());
  stages_ = std::make_unique<ResidualStages>(*trunk, Dimensions::kOne, options.widths);
  register_module("trunk", trunk);
}

torch::Tensor AudioFrontendImpl::stem(const torch::Tensor& x) {
  // 80 numbers to 64: a matrix product over windows is faster than a convolution over one channel,
  // and leaves channels last in memory.
  const auto windows = torch::constant_pad_nd(x, {kStemPadding, kStemPadding})
                           .unfold(1, kStemSamples, kStemStride);     // (B, 160 T, 80)
  const auto y = torch::matmul(windows, stem_weight.squeeze(1).t());  // (B, 160 T, C)
  return stem_norm->after_convolution(y.unsqueeze(1).permute({0, 3, 1, 2}), {.silu = true});
}

torch::Tensor AudioFrontendImpl::forward(const torch::Tensor& x) {
  RAVEN_CHECK(x.dim() == 3 && x.size(2) == 1, "audio has shape {}", fmt::join(x.sizes(), " x "));
  const auto frames = x.size(1) / media::kSamplesPerFrame;
  RAVEN_CHECK(frames > 0, "audio of {} samples is shorter than one frame", x.size(1));
  const auto whole = x.squeeze(2).narrow(1, 0, frames * media::kSamplesPerFrame);  // (B, 640 T)
  const auto features = (*stages_)(stem(whole));  // (B, C, 1, 20 T)
  return features.squeeze(2).transpose(1, 2).unflatten(1, {frames, -1}).mean(2);
}

}  // namespace raven::nn
