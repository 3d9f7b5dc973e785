#include "raven/nn/decoder.h"

#include <cmath>
#include <limits>

#include "raven/core/error.h"

namespace raven::nn {
namespace {

/// What an attention multiplies its values with, (B, H, U, T); visible as in its forward().
torch::Tensor weights_of(MultiHeadAttentionImpl& attention, const torch::Tensor& query,
                         const torch::Tensor& memory, const torch::Tensor& visible) {
  const auto keys = attention.project(memory).keys;  // (B, H, T, d)
  const auto parameters = attention.named_parameters();
  const auto q = torch::linear(query, parameters["linear_q.weight"], parameters["linear_q.bias"])
                     .unflatten(-1, {keys.size(1), -1})
                     .transpose(1, 2);  // (B, H, U, d)
  auto scores = torch::matmul(q, keys.transpose(2, 3)) / std::sqrt(static_cast<double>(q.size(3)));
  if (visible.defined()) {
    scores = scores.masked_fill(visible.logical_not(), -std::numeric_limits<float>::infinity());
  }
  return scores.softmax(-1);
}

}  // namespace

torch::Tensor absolute_positions(std::int64_t first, std::int64_t count, std::int64_t dim,
                                 torch::Device device) {
  const auto options = torch::TensorOptions().dtype(torch::kFloat32).device(device);
  const auto position = torch::arange(first, first + count, options).unsqueeze(1);
  const auto frequency = torch::exp(torch::arange(0, dim, 2, options) *
                                    (-std::log(10000.0) / static_cast<double>(dim)));
  const auto angle = position * frequency;  // (count, D/2)
  return torch::stack({torch::sin(angle), torch::cos(angle)}, -1).flatten(1);
}

DecoderBlockImpl::DecoderBlockImpl(const config::DecoderConfig& options) {
  self_attn =
      register_module("self_attn", MultiHeadAttention(options.dim, options.heads, options.dropout));
  src_attn =
      register_module("src_attn", MultiHeadAttention(options.dim, options.heads, options.dropout));
  feed_forward =
      register_module("feed_forward", FeedForward(options.dim, options.ffn_dim, options.dropout));
  norm1 = register_module("norm1", layer_norm(options.dim));
  norm2 = register_module("norm2", layer_norm(options.dim));
  norm3 = register_module("norm3", layer_norm(options.dim));
  branch_dropout = register_module("branch_dropout", torch::nn::Dropout(options.dropout));
}

torch::Tensor DecoderBlockImpl::forward(const torch::Tensor& x, const torch::Tensor& memory,
                                        const torch::Tensor& causal, const torch::Tensor& valid) {
  const auto normed = norm1(x);
  auto h = x + branch_dropout(self_attn(normed, normed, causal));
  h = h + branch_dropout(src_attn(norm2(h), memory, valid));
  return h + branch_dropout(feed_forward(norm3(h)));
}

torch::Tensor DecoderBlockImpl::memory_weights(const torch::Tensor& x, const torch::Tensor& memory,
                                               const torch::Tensor& causal,
                                               const torch::Tensor& valid) {
  const auto normed = norm1(x);
  const auto h = x + branch_dropout(self_attn(normed, normed, causal));
  return weights_of(*src_attn, norm2(h), memory, valid).mean(1);
}

KeysValues DecoderBlockImpl::project(const torch::Tensor& memory) {
  return src_attn->project(memory);
}

torch::Tensor DecoderBlockImpl::step(const torch::Tensor& x, const KeysValues& memory,
                                     PrefixCache& past, const torch::Tensor& valid) {
  auto h = x + self_attn->step(norm1(x), past, {});
  h = h + src_attn->attend(norm2(h), memory, valid);
  return h + feed_forward(norm3(h));
}

void DecoderState::select(const torch::Tensor& utterances, const torch::Tensor& parents) {
  for (auto& block : memory) {
    block.keys = block.keys.index_select(0, utterances);
    block.values = block.values.index_select(0, utterances);
  }
  if (valid.defined()) valid = valid.index_select(0, utterances);
  for (auto& block : past) block.select(utterances, parents);
}

TransformerDecoderImpl::TransformerDecoderImpl(const config::DecoderConfig& options,
                                               std::int64_t encoder_dim, std::int64_t num_units)
    : scale_(std::sqrt(static_cast<double>(options.dim))) {
  RAVEN_CHECK(options.dim % 2 == 0, "sinusoids of odd width {}", options.dim);
  if (encoder_dim != options.dim) {
    proj_decoder = register_module("proj_decoder", Linear(encoder_dim, options.dim));
  }
  embed->push_back(torch::nn::Embedding(num_units, options.dim));
  register_module("embed", embed);
  for (std::int64_t i = 0; i < options.blocks; ++i) {
    decoders->push_back(DecoderBlock(options));
  }
  register_module("decoders", decoders);
  after_norm = register_module("after_norm", layer_norm(options.dim));
  output_layer = register_module("output_layer", Linear(options.dim, num_units));
  embedding_dropout = register_module("embedding_dropout", torch::nn::Dropout(options.dropout));
}

torch::Tensor TransformerDecoderImpl::embedded(const torch::Tensor& units,
                                               const torch::Tensor& positions) {
  const auto x = embed[0]->as<torch::nn::Embedding>()->forward(units) * scale_;
  return embedding_dropout(x + positions.to(x.scalar_type()));
}

torch::Tensor TransformerDecoderImpl::projected(const torch::Tensor& encoded) {
  return proj_decoder.is_empty() ? encoded : proj_decoder(encoded);
}

TransformerDecoderImpl::Inputs TransformerDecoderImpl::inputs(const torch::Tensor& units,
                                                              const torch::Tensor& encoded,
                                                              const torch::Tensor& valid) {
  const auto length = units.size(1);
  const auto memory = projected(encoded);  // (B, T, D)
  const auto positions = absolute_positions(0, length, memory.size(2), units.device());
  return {.x = embedded(units, positions),  // (B, U, D)
          .memory = memory,
          .causal = torch::ones({length, length},
                                torch::TensorOptions(torch::kBool).device(units.device()))
                        .tril(),
          .valid = valid.defined() ? valid.unsqueeze(1).unsqueeze(1) : valid};
}

torch::Tensor TransformerDecoderImpl::forward(const torch::Tensor& units,
                                              const torch::Tensor& encoded,
                                              const torch::Tensor& valid) {
  const auto given = inputs(units, encoded, valid);
  auto h = given.x;
  for (const auto& block : *decoders) {
    h = block->as<DecoderBlock>()->forward(h, given.memory, given.causal, given.valid);
  }
  return output_layer(after_norm(h));
}

torch::Tensor TransformerDecoderImpl::memory_weights(const torch::Tensor& units,
                                                     const torch::Tensor& encoded,
                                                     const torch::Tensor& valid) {
  const auto given = inputs(units, encoded, valid);
  auto h = given.x;
  std::vector<torch::Tensor> of_blocks;
  for (const auto& each : *decoders) {
    auto* block = each->as<DecoderBlock>();
    of_blocks.push_back(block->memory_weights(h, given.memory, given.causal, given.valid));
    h = block->forward(h, given.memory, given.causal, given.valid);
  }
  return torch::stack(of_blocks).mean(0);
}

DecoderState TransformerDecoderImpl::start(const torch::Tensor& encoded,
                                           const torch::Tensor& valid) {
  const auto memory = projected(encoded);
  DecoderState state;
  if (valid.defined()) state.valid = valid.unsqueeze(1).unsqueeze(1);
  for (const auto& block : *decoders) {
    state.memory.push_back(block->as<DecoderBlock>()->project(memory));
  }
  state.past.resize(decoders->size());
  return state;
}

torch::Tensor TransformerDecoderImpl::step(const torch::Tensor& units, DecoderState& state) {
  const auto dim = after_norm->options.normalized_shape().front();
  auto h = embedded(units, absolute_positions(state.position, 1, dim, units.device()));
  for (std::size_t i = 0; i < decoders->size(); ++i) {
    h = decoders[i]->as<DecoderBlock>()->step(h, state.memory[i], state.past[i], state.valid);
  }
  ++state.position;
  return output_layer(after_norm(h)).log_softmax(-1);
}

}  // namespace raven::nn
