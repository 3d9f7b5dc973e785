// Transformer language model over units, for shallow fusion (docs/method.md).
// Shapes: B sentences, S hypotheses of each, U units, V units of the vocabulary.
#pragma once

#include <torch/torch.h>

#include <vector>

#include "raven/config/model_config.h"
#include "raven/nn/attention.h"
#include "raven/nn/linear.h"
#include "raven/nn/transformer.h"

namespace raven::models {

/// x + self-attention, x + feed-forward, each behind its norm.
/// Keys: self_attn, feed_forward, norm_ff, norm_mha.
class LanguageModelBlockImpl : public torch::nn::Module {
 public:
  explicit LanguageModelBlockImpl(const config::LanguageModelConfig& options);

  /// x (B, U, D); visible bool (B, 1, U, U).
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& visible);
  /// The newest position alone: x (B, S, D), visible bool (B, S, U).
  torch::Tensor step(const torch::Tensor& x, nn::PrefixCache& past, const torch::Tensor& visible);

 private:
  nn::MultiHeadAttention self_attn{nullptr};
  nn::FeedForward feed_forward{nullptr};
  torch::nn::LayerNorm norm_ff{nullptr}, norm_mha{nullptr};
  torch::nn::Dropout branch_dropout{nullptr};
};
TORCH_MODULE(LanguageModelBlock);

/// A language model's memory of hypotheses that grow by one unit per step.
struct LanguageModelState {
  torch::Tensor visible;              // (B, S, U) bool: units that are not 0
  std::vector<nn::PrefixCache> past;  // per block

  /// Goes on with sentences `sentences` (B') int64, and of each with hypotheses that continue
  /// `parents` (B', S') int64.
  void select(const torch::Tensor& sentences, const torch::Tensor& parents);
};

/// No positions: the order of units shows only in what each can see. Unit 0 is seen by none.
/// Keys: embed, encoder.embed.0 (linear), encoder.embed.1 (norm), encoder.encoders.{i}...,
/// encoder.after_norm, decoder.
class LanguageModelImpl : public torch::nn::Module {
 public:
  LanguageModelImpl(const config::LanguageModelConfig& options, std::int64_t num_units);

  /// units (B, U) int64 -> logits (B, U, V); position u sees units 0 to u.
  torch::Tensor forward(const torch::Tensor& units);

  /// A state that has read no unit.
  LanguageModelState start();
  /// Reads one more unit of each hypothesis, units (B, S) int64, sos first. Returns the
  /// log-probabilities of the next one, (B, S, V).
  torch::Tensor step(const torch::Tensor& units, LanguageModelState& state);

  [[nodiscard]] std::int64_t num_units() const { return num_units_; }

 private:
  /// What the published class Encoder holds; its children are this module's grandchildren.
  struct TrunkImpl : torch::nn::Module {
    torch::nn::ModuleList embed, encoders;
    torch::nn::LayerNorm after_norm{nullptr};
  };
  TORCH_MODULE(Trunk);

  torch::Tensor embedded(const torch::Tensor& units);

  std::int64_t num_units_;
  torch::nn::Embedding embed{nullptr};
  Trunk encoder{nullptr};
  torch::nn::Dropout embedding_dropout{nullptr};
  nn::Linear decoder{nullptr};
};
TORCH_MODULE(LanguageModel);

}  // namespace raven::models
