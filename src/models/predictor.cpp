#include "raven/models/predictor.h"

#include "raven/core/error.h"

namespace raven::models {

using config::PredictorKind;

PredictorImpl::PredictorImpl(const config::PredictorConfig& options, std::int64_t encoder_dim,
                             std::int64_t target_dim)
    : kind_(options.kind) {
  switch (kind_) {
    case PredictorKind::kTransformer:
      register_transformer(options, encoder_dim);
      last_linear = nn::Linear(options.dim, target_dim);
      break;
    case PredictorKind::kMlp:
      hidden = register_module("hidden", nn::Linear(encoder_dim, options.dim));
      last_linear = nn::Linear(options.dim, target_dim);
      break;
    case PredictorKind::kLinear:
      last_linear = nn::Linear(encoder_dim, target_dim);
      break;
    case PredictorKind::kNone:
      if (encoder_dim != target_dim) {
        throw ConfigError(fmt::format(
            "predictor kind 'none' needs targets as wide as the student, but these are {} and {}",
            target_dim, encoder_dim));
      }
      return;
  }
  register_module("last_linear", last_linear);
}

void PredictorImpl::register_transformer(const config::PredictorConfig& options,
                                         std::int64_t encoder_dim) {
  const auto transformer = config::transformer_of(options);
  embed = register_module("embed", nn::InputEmbedding(transformer, encoder_dim));
  for (std::int64_t i = 0; i < transformer.blocks; ++i) {
    encoders->push_back(nn::EncoderBlock(transformer));
  }
  register_module("encoders", encoders);
  after_norm = register_module("after_norm", nn::layer_norm(transformer.dim));
}

torch::Tensor PredictorImpl::forward(const torch::Tensor& x, const torch::Tensor& masked,
                                     const torch::Tensor& valid) {
  switch (kind_) {
    case PredictorKind::kNone:
      return x;
    case PredictorKind::kLinear:
      return last_linear(x);
    case PredictorKind::kMlp:
      return last_linear(torch::relu(hidden(x)));
    case PredictorKind::kTransformer:
      break;
  }
  auto [h, positions] = embed(x, masked);  // (B, T, P), (2T-1, P)
  for (const auto& block : *encoders) {
    h = block->as<nn::EncoderBlock>()->forward(h, positions, valid);
  }
  return last_linear(after_norm(h));  // (B, T, Q)
}

}  // namespace raven::models
