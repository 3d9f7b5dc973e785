#include "raven/models/encoder.h"

#include "raven/core/error.h"

namespace raven::models {

EncoderImpl::EncoderImpl(Modality modality, const config::EncoderConfig& options,
                         const config::FrontendConfig& frontend_options) {
  if (modality == Modality::kVideo) {
    video_frontend = register_module("frontend", nn::VideoFrontend(frontend_options));
  } else {
    audio_frontend = register_module("frontend", nn::AudioFrontend(frontend_options));
  }
  embed = register_module("embed", nn::InputEmbedding(options, frontend_options.widths.back()));
  for (std::int64_t i = 0; i < options.blocks; ++i) {
    encoders->push_back(nn::EncoderBlock(options));
  }
  register_module("encoders", encoders);
  after_norm = register_module("after_norm", nn::layer_norm(options.dim));
}

torch::Tensor EncoderImpl::run_blocks(const torch::Tensor& features, const torch::Tensor& valid,
                                      const torch::Tensor& masked, const See& see,
                                      std::size_t count) {
  RAVEN_CHECK(!valid.defined() || valid.size(1) == features.size(1), "{} frames, but {} in valid",
              features.size(1), valid.size(1));
  auto [h, positions] = embed(features, masked);  // (B, T, D), (2T-1, D)
  see(0, h);
  for (std::size_t i = 0; i < count; ++i) {
    h = encoders->at<nn::EncoderBlockImpl>(i).forward(h, positions, valid);
    see(i + 1, h);
  }
  return h;
}

torch::Tensor EncoderImpl::frontend(const torch::Tensor& x) {
  return video_frontend.is_empty() ? audio_frontend(x) : video_frontend(x);
}

torch::Tensor EncoderImpl::from_features(const torch::Tensor& features, const torch::Tensor& valid,
                                         const torch::Tensor& masked) {
  return after_norm(run_blocks(
      features, valid, masked, [](std::size_t, const torch::Tensor&) {}, encoders->size()));
}

torch::Tensor EncoderImpl::forward(const torch::Tensor& x, const torch::Tensor& valid,
                                   const torch::Tensor& masked) {
  return from_features(frontend(x), valid, masked);
}

EncoderOutput EncoderImpl::all_blocks(const torch::Tensor& x, const torch::Tensor& valid,
                                      const torch::Tensor& masked) {
  return all_from_features(frontend(x), valid, masked);
}

EncoderOutput EncoderImpl::all_from_features(const torch::Tensor& features,
                                             const torch::Tensor& valid,
                                             const torch::Tensor& masked) {
  EncoderOutput output;
  const auto keep = [&](std::size_t i, const torch::Tensor& h) {
    if (i == 0) {
      output.embedded = h;
    } else {
      output.blocks.push_back(h);
    }
  };
  output.last = after_norm(run_blocks(features, valid, masked, keep, encoders->size()));
  return output;
}

torch::Tensor EncoderImpl::mean_of_blocks(const torch::Tensor& x, const torch::Tensor& valid,
                                          const torch::Tensor& masked, const BlockMean& options) {
  const auto blocks = static_cast<std::int64_t>(encoders->size());
  const auto last = options.last.value_or(blocks);
  const auto taken = options.blocks.value_or(last);
  RAVEN_CHECK(taken >= 1 && taken <= last && last <= blocks, "the mean of {} blocks up to {} of {}",
              taken, last, blocks);
  torch::Tensor sum;
  run_blocks(
      frontend(x), valid, masked,
      [&](std::size_t i, const torch::Tensor& h) {
        if (static_cast<std::int64_t>(i) <= last - taken) return;
        const auto one = options.of_each ? options.of_each(h) : h;
        sum = sum.defined() ? sum + one : one;
      },
      static_cast<std::size_t>(last));
  return sum / static_cast<double>(taken);
}

}  // namespace raven::models
