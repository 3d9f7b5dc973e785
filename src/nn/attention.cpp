#include "raven/nn/attention.h"

#include <cmath>

#include "nn/attention_cuda.h"
#include "nn/kernels/prefix_attention_kernels.h"
#include "nn/parallel.h"
#include "nn/working_precision.h"
#include "raven/core/error.h"

namespace raven::nn {
namespace {

/// scores (B, H, T, 2T-1) over relative positions -> (B, H, T, T) over keys: element (i, j) is
/// (i, T-1-i+j). In memory that is one row stride less per row, so nothing is copied.
torch::Tensor by_key(const torch::Tensor& scores) {
  const auto frames = scores.size(2), positions = scores.size(3);
  const auto whole = scores.contiguous();
  return whole.as_strided({scores.size(0), scores.size(1), frames, frames},
                          {whole.stride(0), whole.stride(1), positions - 1, 1},
                          whole.storage_offset() + frames - 1);
}

double lowest(torch::ScalarType type) {
  switch (type) {
    case torch::kFloat64:
      return std::numeric_limits<double>::lowest();
    case torch::kFloat16:
      return static_cast<double>(std::numeric_limits<at::Half>::lowest());
    case torch::kBFloat16:
      return static_cast<double>(std::numeric_limits<at::BFloat16>::lowest());
    default:
      return std::numeric_limits<float>::lowest();
  }
}

/// Softmax over keys; those where `visible` is false get a weight of exactly 0, even where none is
/// visible.
torch::Tensor weights_of(const torch::Tensor& scores, const torch::Tensor& visible) {
  if (!visible.defined()) return scores.softmax(-1);
  const auto hidden = visible.logical_not();
  return scores.masked_fill(hidden, lowest(scores.scalar_type()))
      .softmax(-1)
      .masked_fill(hidden, 0);
}

}  // namespace

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

torch::Tensor RelativeAttentionImpl::heads_of(const torch::Tensor& x) const {
  return x.unflatten(-1, {heads_, -1});
}

torch::Tensor RelativeAttentionImpl::forward(const torch::Tensor& x, const torch::Tensor& positions,
                                             const torch::Tensor& valid) {
  RAVEN_CHECK(positions.size(0) == 2 * x.size(1) - 1, "{} relative positions for {} frames",
              positions.size(0), x.size(1));
  const auto input = in_working_precision(x);
  const CudaAttention projected{
      .q = linear_q(input),
      .k = linear_k(input),
      .v = linear_v(input),
      .positions = linear_pos(positions),
      .content_bias = pos_bias_u,
      .position_bias = pos_bias_v,
      .valid = valid,
      .heads = heads_,
      .dropout = attention_dropout->is_training() ? attention_dropout->options.p() : 0};
  if (cuda_kernels_take(projected)) return linear_out(attend_on_cuda(projected));
  const auto q = heads_of(projected.q);                                     // (B, T, H, d)
  const auto k = heads_of(projected.k).permute({0, 2, 3, 1});               // (B, H, d, T)
  const auto v = heads_of(projected.v).transpose(1, 2);                     // (B, H, T, d)
  const auto p = heads_of(projected.positions).permute({1, 2, 0});          // (H, d, 2T-1)
  const auto content = torch::matmul((q + pos_bias_u).transpose(1, 2), k);  // (B, H, T, T)
  const auto position = by_key(torch::matmul((q + pos_bias_v).transpose(1, 2), p));
  const auto scores = (content + position) / std::sqrt(static_cast<double>(k.size(2)));
  const auto weights =
      weights_of(scores, valid.defined() ? valid.unsqueeze(1).unsqueeze(1) : valid);
  const auto mixed = torch::matmul(attention_dropout(weights), v);  // (B, H, T, d)
  return linear_out(mixed.transpose(1, 2).flatten(2));
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
  const bool cpu_floats = query.device().is_cpu() && query.scalar_type() == torch::kFloat32 &&
                          keys_.front().scalar_type() == torch::kFloat32;
  const bool needs_gradient = torch::GradMode::is_enabled() && query.requires_grad();
  return cpu_floats && !needs_gradient ? in_place(query, visible, heads)
                                       : gathered(query, visible, heads);
}

torch::Tensor PrefixCache::in_place(const torch::Tensor& query, const torch::Tensor& visible,
                                    std::int64_t heads) const {
  std::vector<const float*> keys, values;
  for (const auto& step : keys_) keys.push_back(step.data_ptr<float>());
  for (const auto& step : values_) values.push_back(step.data_ptr<float>());
  const auto q = query.contiguous(), places = places_.contiguous();
  const auto seen = visible.defined() ? visible.contiguous() : visible;
  auto mixed = torch::empty_like(q);
  const kernels::Prefixes prefixes{.keys = keys.data(),
                                   .values = values.data(),
                                   .places = places.data_ptr<std::int64_t>(),
                                   .visible = seen.defined() ? seen.data_ptr<bool>() : nullptr,
                                   .units = static_cast<std::int64_t>(keys.size()),
                                   .heads = heads,
                                   .width = q.size(2) / heads};
  const auto hypotheses = q.size(0) * q.size(1);
  const auto* from = q.data_ptr<float>();
  auto* to = mixed.data_ptr<float>();
  parallel_for(hypotheses, [&, loop = kernels::prefix_attention_loop()](std::int64_t n) {
    std::vector<float> weights(static_cast<std::size_t>(heads * prefixes.units));
    loop(from, prefixes, n, n + 1, weights.data(), to);
  });
  return mixed;
}

torch::Tensor PrefixCache::gathered(const torch::Tensor& query, const torch::Tensor& visible,
                                    std::int64_t heads) const {
  std::vector<std::int64_t> first_rows;  // of each step among all steps' rows
  std::int64_t rows = 0;
  for (const auto& step : keys_) first_rows.push_back(rows), rows += step.size(0);
  const auto places = (places_ + torch::tensor(first_rows, places_.options())).flatten(0, 1);
  const auto prefixes = [&](const std::vector<torch::Tensor>& steps) {
    return torch::cat(steps)
        .index_select(0, places.view(-1))
        .view({places.size(0), places.size(1), heads, -1})
        .transpose(1, 2);  // (B * S, H, U, d)
  };
  const auto q = query.flatten(0, 1).unflatten(-1, {heads, -1}).unsqueeze(2);  // (B * S, H, 1, d)
  const auto scores =
      torch::matmul(q, prefixes(keys_).transpose(2, 3)) / std::sqrt(static_cast<double>(q.size(3)));
  const auto seen = visible.defined() ? visible.flatten(0, 1).unsqueeze(1).unsqueeze(1) : visible;
  return torch::matmul(weights_of(scores, seen), prefixes(values_)).view(query.sizes());
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
  const auto mixed = torch::matmul(attention_dropout(weights_of(scores, visible)), memory.values);
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
