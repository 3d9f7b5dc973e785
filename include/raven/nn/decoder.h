// Attention decoder: units so far and encoder output in, a distribution over the next unit out.
// Shapes: B utterances, S hypotheses of each, U units of a prefix, T frames, E encoder width,
// D width, H heads, d = D / H, V units of the vocabulary.
#pragma once

#include <torch/torch.h>

#include <vector>

#include "raven/config/model_config.h"
#include "raven/nn/attention.h"
#include "raven/nn/linear.h"
#include "raven/nn/transformer.h"

namespace raven::nn {

/// Sinusoids of the positions first, ..., first + count - 1: (count, D), sine in even and cosine in
/// odd columns, computed in float32.
torch::Tensor absolute_positions(std::int64_t first, std::int64_t count, std::int64_t dim,
                                 torch::Device device);

/// x + self-attention, x + attention to the encoder's output, x + feed-forward, each behind its
/// norm. Keys: self_attn, src_attn, feed_forward, norm1, norm2, norm3.
class DecoderBlockImpl : public torch::nn::Module {
 public:
  /// Throws InternalError when `heads` does not divide the width.
  explicit DecoderBlockImpl(const config::DecoderConfig& options);

  /// x (B, U, D); memory (B, T, D); causal bool (U, U); valid bool (B, 1, 1, T) or undefined.
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& memory,
                        const torch::Tensor& causal, const torch::Tensor& valid);

  /// Weights of the attention to the memory in `forward`, mean over the heads, (B, U, T).
  torch::Tensor memory_weights(const torch::Tensor& x, const torch::Tensor& memory,
                               const torch::Tensor& causal, const torch::Tensor& valid);

  /// The encoder's output as `step` needs it.
  KeysValues project(const torch::Tensor& memory);
  /// The newest position alone: x (B, S, D) -> (B, S, D), with `past` extended by it.
  torch::Tensor step(const torch::Tensor& x, const KeysValues& memory, PrefixCache& past,
                     const torch::Tensor& valid);

 private:
  MultiHeadAttention self_attn{nullptr}, src_attn{nullptr};
  FeedForward feed_forward{nullptr};
  torch::nn::LayerNorm norm1{nullptr}, norm2{nullptr}, norm3{nullptr};
  torch::nn::Dropout branch_dropout{nullptr};
};
TORCH_MODULE(DecoderBlock);

/// A decoder's memory of utterances and of prefixes that grow by one unit per step.
struct DecoderState {
  std::int64_t position = 0;       // units read
  std::vector<KeysValues> memory;  // per block, (B, H, T, d), shared by an utterance's hypotheses
  torch::Tensor valid;             // (B, 1, 1, T) bool or undefined
  std::vector<PrefixCache> past;   // per block

  /// Goes on with utterances `utterances` (B') int64, and of each with hypotheses that continue
  /// `parents` (B', S') int64.
  void select(const torch::Tensor& utterances, const torch::Tensor& parents);
};

/// Keys: proj_decoder (when E and D differ), embed.0, decoders.{i}..., after_norm, output_layer.
class TransformerDecoderImpl : public torch::nn::Module {
 public:
  /// Throws InternalError when `heads` does not divide the width or the width is odd.
  TransformerDecoderImpl(const config::DecoderConfig& options, std::int64_t encoder_dim,
                         std::int64_t num_units);

  /// All positions at once: units (B, U) int64 that start with sos; encoded (B, T, E); valid (B, T)
  /// bool or undefined. Returns logits (B, U, V); position u sees units 0 to u.
  torch::Tensor forward(const torch::Tensor& units, const torch::Tensor& encoded,
                        const torch::Tensor& valid);

  /// Where each position looks: weights of the attention to the encoder's output in `forward`, mean
  /// over heads and blocks, (B, U, T). Rows sum to 1.
  torch::Tensor memory_weights(const torch::Tensor& units, const torch::Tensor& encoded,
                               const torch::Tensor& valid);

  /// encoded (B, T, E), valid (B, T) bool or undefined: a state that has read no unit.
  DecoderState start(const torch::Tensor& encoded, const torch::Tensor& valid);
  /// Reads one more unit of each hypothesis, units (B, S) int64, sos first. Returns the
  /// log-probabilities of the next one, (B, S, V).
  torch::Tensor step(const torch::Tensor& units, DecoderState& state);

 private:
  /// What `forward` and `memory_weights` give to the blocks.
  struct Inputs {
    torch::Tensor x, memory, causal, valid;
  };
  Inputs inputs(const torch::Tensor& units, const torch::Tensor& encoded,
                const torch::Tensor& valid);
  torch::Tensor embedded(const torch::Tensor& units, const torch::Tensor& positions);
  torch::Tensor projected(const torch::Tensor& encoded);

  double scale_;
  Linear proj_decoder{nullptr}, output_layer{nullptr};
  torch::nn::ModuleList embed, decoders;
  torch::nn::Dropout embedding_dropout{nullptr};
  torch::nn::LayerNorm after_norm{nullptr};
};
TORCH_MODULE(TransformerDecoder);

}  // namespace raven::nn
