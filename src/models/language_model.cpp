#include "raven/models/language_model.h"

namespace raven::models {

LanguageModelBlockImpl::LanguageModelBlockImpl(const config::LanguageModelConfig& options) {
  self_attn = register_module("self_attn",
                              nn::MultiHeadAttention(options.dim, options.heads, options.dropout));
  feed_forward = register_module("feed_forward",
                                 nn::FeedForward(options.dim, options.ffn_dim, options.dropout));
  norm_ff = register_module("norm_ff", nn::layer_norm(options.dim));
  norm_mha = register_module("norm_mha", nn::layer_norm(options.dim));
  branch_dropout = register_module("branch_dropout", torch::nn::Dropout(options.dropout));
}

torch::Tensor LanguageModelBlockImpl::forward(const torch::Tensor& x,
                                              const torch::Tensor& visible) {
  const auto normed = norm_mha(x);
  const auto attended = x + branch_dropout(self_attn(normed, normed, visible));
  return attended + branch_dropout(feed_forward(norm_ff(attended)));
}

torch::Tensor LanguageModelBlockImpl::step(const torch::Tensor& x, nn::PrefixCache& past,
                                           const torch::Tensor& visible) {
  const auto attended = x + self_attn->step(norm_mha(x), past, visible);
  return attended + feed_forward(norm_ff(attended));
}

void LanguageModelState::select(const torch::Tensor& sentences, const torch::Tensor& parents) {
  visible = nn::select_hypotheses(visible, sentences, parents);
  for (auto& block : past) block.select(sentences, parents);
}

LanguageModelImpl::LanguageModelImpl(const config::LanguageModelConfig& options,
                                     std::int64_t num_units)
    : num_units_(num_units) {
  embed = register_module("embed", torch::nn::Embedding(num_units, options.embed_dim));
  encoder = Trunk();
  encoder->embed->push_back(nn::Linear(options.embed_dim, options.dim));
  encoder->embed->push_back(torch::nn::LayerNorm(torch::nn::LayerNormOptions({options.dim})));
  for (std::int64_t i = 0; i < options.blocks; ++i) {
    encoder->encoders->push_back(LanguageModelBlock(options));
  }
  encoder->register_module("embed", encoder->embed);
  encoder->register_module("encoders", encoder->encoders);
  encoder->after_norm = encoder->register_module("after_norm", nn::layer_norm(options.dim));
  register_module("encoder", encoder);
  embedding_dropout = register_module("embedding_dropout", torch::nn::Dropout(options.dropout));
  decoder = register_module("decoder", nn::Linear(options.dim, num_units));
}

torch::Tensor LanguageModelImpl::embedded(const torch::Tensor& units) {
  const auto projected = encoder->embed[0]->as<nn::Linear>()->forward(embed(units));
  const auto normed = encoder->embed[1]->as<torch::nn::LayerNorm>()->forward(projected);
  return torch::relu(embedding_dropout(normed));  // (..., D)
}

torch::Tensor LanguageModelImpl::forward(const torch::Tensor& units) {
  const auto length = units.size(1);
  const auto causal =
      torch::ones({length, length}, torch::TensorOptions(torch::kBool).device(units.device()))
          .tril();
  const auto visible = ((units != 0).unsqueeze(1) & causal).unsqueeze(1);  // (B, 1, U, U)
  auto h = embedded(units);
  for (const auto& block : *encoder->encoders) {
    h = block->as<LanguageModelBlock>()->forward(h, visible);
  }
  return decoder(encoder->after_norm(h));
}

LanguageModelState LanguageModelImpl::start() {
  LanguageModelState state;
  state.past.resize(encoder->encoders->size());
  return state;
}

torch::Tensor LanguageModelImpl::step(const torch::Tensor& units, LanguageModelState& state) {
  const auto newest = (units != 0).unsqueeze(2);
  state.visible = state.visible.defined() ? torch::cat({state.visible, newest}, 2) : newest;
  auto h = embedded(units);
  for (std::size_t i = 0; i < encoder->encoders->size(); ++i) {
    h = encoder->encoders[i]->as<LanguageModelBlock>()->step(h, state.past[i], state.visible);
  }
  return decoder(encoder->after_norm(h)).log_softmax(-1);
}

}  // namespace raven::models
