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
    case PredictorKind::kMlpBatchNorm:
      register_hidden(options, encoder_dim);
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
    case PredictorKind::kShared:
      throw InternalError("a shared predictor is made by the loss that it belongs to");
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

void PredictorImpl::register_hidden(const config::PredictorConfig& options,
                                    std::int64_t encoder_dim) {
  for (std::int64_t i = 1; i <= options.hidden_layers(); ++i) {
    const auto number = i == 1 ? std::string() : fmt::format("_{}", i);
    hidden.push_back(register_module("hidden" + number,
                                     nn::Linear(i == 1 ? encoder_dim : options.dim, options.dim)));
    if (kind_ == PredictorKind::kMlpBatchNorm)
      norms.push_back(register_module("norm" + number, nn::BatchNorm(options.dim)));
  }
}

torch::Tensor PredictorImpl::mlp(torch::Tensor h) {
  for (std::size_t i = 0; i < hidden.size(); ++i) {
    h = hidden[i](h);
    if (!norms.empty()) h = norms[i](h);
    h = torch::relu(h);
  }
  return last_linear(h);
}

torch::Tensor PredictorImpl::forward(const torch::Tensor& x, const torch::Tensor& masked,
                                     const torch::Tensor& valid) {
  switch (kind_) {
    case PredictorKind::kNone:
    case PredictorKind::kShared:
      return x;
    case PredictorKind::kLinear:
      return last_linear(x);
    case PredictorKind::kMlp:
    case PredictorKind::kMlpBatchNorm:
      return mlp(x);
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
