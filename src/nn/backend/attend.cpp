#include "nn/backend/attend.h"

#include <cmath>
#include <limits>

#include "nn/backend/attend_cuda.h"
#include "nn/kernels/prefix_attention_kernels.h"
#include "nn/parallel.h"

namespace raven::nn::backend {
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

torch::Tensor attend_with_library(const RelativeAttention& input) {
  const auto heads_of = [&](const torch::Tensor& x) { return x.unflatten(-1, {input.heads, -1}); };
  const auto q = heads_of(input.q);                                                 // (B, T, H, d)
  const auto k = heads_of(input.k).permute({0, 2, 3, 1});                           // (B, H, d, T)
  const auto v = heads_of(input.v).transpose(1, 2);                                 // (B, H, T, d)
  const auto p = heads_of(input.positions).permute({1, 2, 0});                      // (H, d, 2T-1)
  const auto content = torch::matmul((q + input.content_bias).transpose(1, 2), k);  // (B, H, T, T)
  const auto position = by_key(torch::matmul((q + input.position_bias).transpose(1, 2), p));
  const auto scores = (content + position) / std::sqrt(static_cast<double>(k.size(2)));
  const auto& valid = input.valid;
  const auto weights =
      attention_weights(scores, valid.defined() ? valid.unsqueeze(1).unsqueeze(1) : valid);
  const auto dropped = torch::dropout(weights, input.dropout, input.dropout > 0);
  return torch::matmul(dropped, v).transpose(1, 2).flatten(2);
}

bool can_use_own_loops(const PrefixAttention& input) {
  const bool cpu_floats = input.query.device().is_cpu() &&
                          input.query.scalar_type() == torch::kFloat32 &&
                          input.keys.front().scalar_type() == torch::kFloat32;
  const bool needs_gradient = torch::GradMode::is_enabled() && input.query.requires_grad();
  return cpu_floats && !needs_gradient;
}

torch::Tensor attend_in_place(const PrefixAttention& input) {
  std::vector<const float*> keys, values;
  for (const auto& step : input.keys) keys.push_back(step.data_ptr<float>());
  for (const auto& step : input.values) values.push_back(step.data_ptr<float>());
  const auto q = input.query.contiguous(), places = input.places.contiguous();
  const auto seen = input.visible.defined() ? input.visible.contiguous() : input.visible;
  auto mixed = torch::empty_like(q);
  const kernels::Prefixes prefixes{.keys = keys.data(),
                                   .values = values.data(),
                                   .places = places.data_ptr<std::int64_t>(),
                                   .visible = seen.defined() ? seen.data_ptr<bool>() : nullptr,
                                   .units = static_cast<std::int64_t>(keys.size()),
                                   .heads = input.heads,
                                   .width = q.size(2) / input.heads};
  const auto hypotheses = q.size(0) * q.size(1);
  const auto* from = q.data_ptr<float>();
  auto* to = mixed.data_ptr<float>();
  parallel_for(hypotheses, [&, loop = kernels::prefix_attention_loop()](std::int64_t n) {
    std::vector<float> weights(static_cast<std::size_t>(prefixes.heads * prefixes.units));
    loop(from, prefixes, n, n + 1, weights.data(), to);
  });
  return mixed;
}

torch::Tensor attend_to_copies(const PrefixAttention& input) {
  std::vector<std::int64_t> first_rows;  // of each step among all steps' rows
  std::int64_t rows = 0;
  for (const auto& step : input.keys) first_rows.push_back(rows), rows += step.size(0);
  const auto places =
      (input.places + torch::tensor(first_rows, input.places.options())).flatten(0, 1);
  const auto prefixes = [&](const std::vector<torch::Tensor>& steps) {
    return torch::cat(steps)
        .index_select(0, places.view(-1))
        .view({places.size(0), places.size(1), input.heads, -1})
        .transpose(1, 2);  // (B * S, H, U, d)
  };
  const auto q =
      input.query.flatten(0, 1).unflatten(-1, {input.heads, -1}).unsqueeze(2);  // (B * S, H, 1, d)
  const auto scores = torch::matmul(q, prefixes(input.keys).transpose(2, 3)) /
                      std::sqrt(static_cast<double>(q.size(3)));
  const auto& visible = input.visible;
  const auto seen = visible.defined() ? visible.flatten(0, 1).unsqueeze(1).unsqueeze(1) : visible;
  return torch::matmul(attention_weights(scores, seen), prefixes(input.values))
      .view(input.query.sizes());
}

}  // namespace

torch::Tensor attend(const RelativeAttention& input) {
  return can_use_cuda_kernels(input) ? attend_on_cuda(input) : attend_with_library(input);
}

torch::Tensor attention_weights(const torch::Tensor& scores, const torch::Tensor& visible) {
  if (!visible.defined()) return scores.softmax(-1);
  const auto hidden = visible.logical_not();
  return scores.masked_fill(hidden, lowest(scores.scalar_type()))
      .softmax(-1)
      .masked_fill(hidden, 0);
}

torch::Tensor attend(const PrefixAttention& input) {
  return can_use_own_loops(input) ? attend_in_place(input) : attend_to_copies(input);
}

}  // namespace raven::nn::backend
