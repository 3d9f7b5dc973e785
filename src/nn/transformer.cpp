#include "raven/nn/transformer.h"

#include <cmath>

#include "nn/backend/add_branch.h"
#include "raven/core/error.h"

namespace raven::nn {

torch::Tensor DropPathImpl::forward(const torch::Tensor& branch) {
  return backend::drop_path(branch, rate());
}

InputEmbeddingImpl::InputEmbeddingImpl(const config::EncoderConfig& options, std::int64_t input_dim)
    : scale_(std::sqrt(static_cast<double>(options.dim))) {
  RAVEN_CHECK(options.dim % 2 == 0, "sinusoids of odd width {}", options.dim);
  if (options.mask_token) {
    mask_emb = register_parameter("mask_emb", torch::empty({options.dim}).normal_(0, 0.02));
  }
  linear = register_module(options.mask_token ? "linear" : "0", Linear(input_dim, options.dim));
  input_dropout = register_module("input_dropout", torch::nn::Dropout(options.dropout));
  position_dropout = register_module("position_dropout", torch::nn::Dropout(options.dropout));
}

Embedded InputEmbeddingImpl::forward(const torch::Tensor& x, const torch::Tensor& masked) {
  auto projected = linear(x);
  if (mask_emb.defined() && masked.defined()) {
    projected = torch::where(masked.unsqueeze(-1), mask_emb.to(projected.scalar_type()), projected);
  }
  auto positions = relative_positions(x.size(1), projected.size(-1), x.device());
  return {.x = input_dropout(projected * scale_),
          .positions = position_dropout(positions.to(projected.scalar_type()))};
}

FeedForwardImpl::FeedForwardImpl(std::int64_t dim, std::int64_t inner_dim, double dropout) {
  w_1 = register_module("w_1", Linear(dim, inner_dim));
  w_2 = register_module("w_2", Linear(inner_dim, dim));
  inner_dropout = register_module("inner_dropout", torch::nn::Dropout(dropout));
}

torch::Tensor FeedForwardImpl::forward(const torch::Tensor& x) {
  return w_2(inner_dropout(torch::relu(w_1(x))));
}

torch::nn::LayerNorm layer_norm(std::int64_t dim) {
  return torch::nn::LayerNorm(torch::nn::LayerNormOptions({dim}).eps(1e-12));
}

EncoderBlockImpl::EncoderBlockImpl(const config::EncoderConfig& options) {
  if (options.layer_scale > 0) {
    gamma_ff = register_parameter("gamma_ff", torch::full({options.dim}, options.layer_scale));
    gamma_mha = register_parameter("gamma_mha", torch::full({options.dim}, options.layer_scale));
  }
  self_attn =
      register_module("self_attn", RelativeAttention(options.dim, options.heads, options.dropout));
  feed_forward =
      register_module("feed_forward", FeedForward(options.dim, options.ffn_dim, options.dropout));
  if (options.ffn_norm == config::FfnNorm::kBatch) {
    norm_ff_batch = register_module("norm_ff", BatchNorm(options.dim));
  } else {
    norm_ff_layer = register_module("norm_ff", layer_norm(options.dim));
  }
  norm_mha = register_module("norm_mha", layer_norm(options.dim));
  branch_dropout = register_module("branch_dropout", torch::nn::Dropout(options.dropout));
  drop_path = register_module("drop_path", DropPath(options.drop_path));
}

torch::Tensor EncoderBlockImpl::add_branch(const torch::Tensor& x, const torch::Tensor& output,
                                           const torch::Tensor& gamma) {
  return backend::add_branch(
      {.x = x,
       .output = output,
       .gamma = gamma,
       .dropout = branch_dropout->is_training() ? branch_dropout->options.p() : 0,
       .drop_path = drop_path->rate()});
}

torch::Tensor EncoderBlockImpl::forward(const torch::Tensor& x, const torch::Tensor& positions,
                                        const torch::Tensor& valid) {
  const auto attended = add_branch(x, self_attn(norm_mha(x), positions, valid), gamma_mha);
  const auto normed = norm_ff_layer.is_empty() ? norm_ff_batch(attended) : norm_ff_layer(attended);
  return add_branch(attended, feed_forward(normed), gamma_ff);
}

}  // namespace raven::nn
