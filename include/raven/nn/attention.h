// Multi-head attention: over relative positions (Transformer-XL's form, arXiv 1901.02860) in
// encoders, plain in decoders and language models.
// Shapes: B utterances, T frames, U query positions, D width, H heads, d = D / H.
#pragma once

#include <torch/torch.h>

#include <vector>

#include "raven/nn/linear.h"

namespace raven::nn {

/// Sinusoids of relative positions T-1, ..., -(T-1); positive where the key lies before the query.
/// (2T-1, D), sine in even and cosine in odd columns, computed in float32.
torch::Tensor relative_positions(std::int64_t num_frames, std::int64_t dim, torch::Device device);

/// Keys: pos_bias_u, pos_bias_v (H, d), linear_{q,k,v,out} with bias, linear_pos without.
class RelativeAttentionImpl : public torch::nn::Module {
 public:
  /// Throws InternalError when `heads` does not divide `dim`.
  RelativeAttentionImpl(std::int64_t dim, std::int64_t heads, double dropout);

  /// x (B, T, D); positions (2T-1, D); valid (B, T) bool or undefined: keys where it is false are
  /// not seen, and get a weight of exactly 0. Returns (B, T, D).
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& positions,
                        const torch::Tensor& valid);

 private:
  std::int64_t heads_;
  torch::Tensor pos_bias_u, pos_bias_v;
  Linear linear_q{nullptr}, linear_k{nullptr}, linear_v{nullptr}, linear_out{nullptr},
      linear_pos{nullptr};
  torch::nn::Dropout attention_dropout{nullptr};
};
TORCH_MODULE(RelativeAttention);

/// Keys and values of one attention, split into heads.
struct KeysValues {
  torch::Tensor keys, values;  // (B, H, T, d)
};

/// Rows of hypotheses that go on: x (B, S, ...), utterances (B') and parents (B', S') int64 ->
/// (B', S', ...), element (b, s) being x[utterances[b], parents[b, s]].
torch::Tensor select_hypotheses(const torch::Tensor& x, const torch::Tensor& utterances,
                                const torch::Tensor& parents);

/// What the units of hypotheses became in one attention, step by step. Hypotheses share their past:
/// each step's keys and values are kept as they came, with a note of who descends from whom.
/// Shapes: S hypotheses of each utterance, all with the same number U of units.
class PrefixCache {
 public:
  /// Adds the newest unit's keys and values, each (B, S, D).
  void append(const torch::Tensor& keys, const torch::Tensor& values);
  /// Scaled dot-product attention of `heads` heads to the prefixes: query (B, S, D); visible bool
  /// (B, S, U) or undefined. Returns (B, S, D).
  [[nodiscard]] torch::Tensor attend(const torch::Tensor& query, const torch::Tensor& visible,
                                     std::int64_t heads) const;
  /// Goes on with utterances `utterances` (B') int64, and of each with hypotheses that continue
  /// `parents` (B', S') int64.
  void select(const torch::Tensor& utterances, const torch::Tensor& parents);

 private:
  std::vector<torch::Tensor> keys_, values_;  // of each step, (its B * S, D)
  torch::Tensor places_;                      // (B, S, U) int64: row of a prefix in each step
};

/// Scaled dot-product attention. Keys: linear_{q,k,v,out} with bias.
class MultiHeadAttentionImpl : public torch::nn::Module {
 public:
  /// Throws InternalError when `heads` does not divide `dim`.
  MultiHeadAttentionImpl(std::int64_t dim, std::int64_t heads, double dropout);

  /// query (B, U, D), memory (B, T, D); visible bool, broadcast to (B, H, U, T), or undefined: keys
  /// where it is false get a weight of exactly 0. Returns (B, U, D).
  torch::Tensor forward(const torch::Tensor& query, const torch::Tensor& memory,
                        const torch::Tensor& visible);

  /// memory (B, T, D): what `attend` needs of it.
  KeysValues project(const torch::Tensor& memory);
  /// `forward` on a memory that was projected before.
  torch::Tensor attend(const torch::Tensor& query, const KeysValues& memory,
                       const torch::Tensor& visible);
  /// Self-attention of the newest unit of each hypothesis: x (B, S, D), which is added to `past`;
  /// visible bool (B, S, U) or undefined. Returns (B, S, D).
  torch::Tensor step(const torch::Tensor& x, PrefixCache& past, const torch::Tensor& visible);

 private:
  std::int64_t heads_;
  Linear linear_q{nullptr}, linear_k{nullptr}, linear_v{nullptr}, linear_out{nullptr};
  torch::nn::Dropout attention_dropout{nullptr};
};
TORCH_MODULE(MultiHeadAttention);

}  // namespace raven::nn
