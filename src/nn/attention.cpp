#include "raven/nn/attention.h"

#include <cmath>

#include "nn/backend/attend.h"
#include "nn/backend/working_precision.h"
#include "raven/core/error.h"

namespace raven::nn {

torch::Tensor relative_positions(std::int64_t num_frames, std::int64_t dim, torch::Device device) {
  const auto options = torch::TensorOptions().dtype(torch::kFloat32).device(device);
  const auto position = torch::arange(num_frames - 1, -num_frames, -1, options).unsqueeze(1);
  const auto frequency = torch::exp(torch::arange(0, dim, 2, options) *
                                    (-std::log(10000.0) / static_cast<double>(dim)));
  const auto angle = position * frequency;  // (2T-1, D/2)
  return torch::stack({torch::sin(angle), torch::cos(angle)}, -1).flatten(1);
}

RelativeAttentionImpl::RelativeAttentionImpl(std::int64_t dim, std::int64_t heads, double dropout)
    : heads_(heads) {
  RAVEN_CHECK(heads > 0 && dim % heads == 0, "{} heads do not divide a width of {}", heads, dim);
  pos_bias_u = register_parameter("pos_bias_u", torch::empty({heads, dim / heads}));
  pos_bias_v = register_parameter("pos_bias_v", torch::empty({heads, dim / heads}));
  torch::nn::init::xavier_uniform_(pos_bias_u);
  torch::nn::init::xavier_uniform_(pos_bias_v);
  linear_q = register_module("linear_q", Linear(dim, dim));
  linear_k = register_module("linear_k", Linear(dim, dim));
  linear_v = register_module("linear_v", Linear(dim, dim));
  linear_out = register_module("linear_out", Linear(dim, dim));
  linear_pos =
      register_module("linear_pos", Linear(torch::nn::LinearOptions(dim, dim).bias(false)));
  attention_dropout = register_module("attention_dropout", torch::nn::Dropout(dropout));
}

torch::Tensor RelativeAttentionImpl::forward(const torch::Tensor& x, const torch::Tensor& positions,
                                             const torch::Tensor& valid) {
  RAVEN_CHECK(positions.size(0) == 2 * x.size(1) - 1, "{} relative positions for {} frames",
              positions.size(0), x.size(1));
  const auto input = backend::in_working_precision(x);
  return linear_out(backend::attend(backend::RelativeAttention{
      .q = linear_q(input),
      .k = linear_k(input),
      .v = linear_v(input),
      .positions = linear_pos(positions),
      .content_bias = pos_bias_u,
      .position_bias = pos_bias_v,
      .valid = valid,
      .heads = heads_,
      .dropout = attention_dropout->is_training() ? attention_dropout->options.p() : 0}));
}

torch::Tensor select_hypotheses(const torch::Tensor& x, const torch::Tensor& utterances,
                                const torch::Tensor& parents) {
  const auto rows = (utterances.unsqueeze(1) * x.size(1) + parents).view(-1);
  return x.flatten(0, 1).index_select(0, rows).unflatten(0, {parents.size(0), parents.size(1)});
}

void PrefixCache::append(const torch::Tensor& keys, const torch::Tensor& values) {
  keys_.push_back(keys.flatten(0, 1).contiguous());
  values_.push_back(values.flatten(0, 1).contiguous());
  const auto rows =
      torch::arange(keys_.back().size(0), torch::TensorOptions(torch::kInt64).device(keys.device()))
          .view({keys.size(0), keys.size(1), 1});
  places_ = places_.defined() ? torch::cat({places_, rows}, 2) : rows;
}

void PrefixCache::select(const torch::Tensor& utterances, const torch::Tensor& parents) {
  if (places_.defined()) places_ = select_hypotheses(places_, utterances, parents);
}

torch::Tensor PrefixCache::attend(const torch::Tensor& query, const torch::Tensor& visible,
                                  std::int64_t heads) const {
  return backend::attend(backend::PrefixAttention{.query = query,
                                                  .keys = keys_,
                                                  .values = values_,
                                                  .places = places_,
                                                  .visible = visible,
                                                  .heads = heads});
}

MultiHeadAttentionImpl::MultiHeadAttentionImpl(std::int64_t dim, std::int64_t heads, double dropout)
    : heads_(heads) {
  RAVEN_CHECK(heads > 0 && dim % heads == 0, "{} heads do not divide a width of {}", heads, dim);
  linear_q = register_module("linear_q", Linear(dim, dim));
  linear_k = register_module("linear_k", Linear(dim, dim));
  linear_v = register_module("linear_v", Linear(dim, dim));
  linear_out = register_module("linear_out", Linear(dim, dim));
  attention_dropout = register_module("attention_dropout", torch::nn::Dropout(dropout));
}

KeysValues MultiHeadAttentionImpl::project(const torch::Tensor& memory) {
  const auto heads_of = [&](const torch::Tensor& x) {
    return x.unflatten(-1, {heads_, -1}).transpose(1, 2);  // (B, H, T, d)
  };
  return {.keys = heads_of(linear_k(memory)), .values = heads_of(linear_v(memory))};
}

torch::Tensor MultiHeadAttentionImpl::attend(const torch::Tensor& query, const KeysValues& memory,
                                             const torch::Tensor& visible) {
  const auto q = linear_q(query).unflatten(-1, {heads_, -1}).transpose(1, 2);  // (B, H, U, d)
  const auto scores = torch::matmul(q, memory.keys.transpose(2, 3)) /
                      std::sqrt(static_cast<double>(q.size(3)));  // (B, H, U, T)
  const auto weights = attention_dropout(backend::attention_weights(scores, visible));
  const auto mixed = torch::matmul(weights, memory.values);
  return linear_out(mixed.transpose(1, 2).flatten(2));
}

torch::Tensor MultiHeadAttentionImpl::forward(const torch::Tensor& query,
                                              const torch::Tensor& memory,
                                              const torch::Tensor& visible) {
  return attend(query, project(memory), visible);
}

torch::Tensor MultiHeadAttentionImpl::step(const torch::Tensor& x, PrefixCache& past,
                                           const torch::Tensor& visible) {
  const auto query = linear_q(x), keys = linear_k(x);
  past.append(keys, linear_v(x));
  return linear_out(past.attend(query, visible, heads_));
}

}  // namespace raven::nn
