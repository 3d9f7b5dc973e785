// Transformer of encoders and predictors: input projection with relative positions, pre-norm
// blocks. Shapes: B utterances, T frames (25 Hz), D width.
#pragma once

#include <torch/torch.h>

#include "raven/config/model_config.h"
#include "raven/nn/attention.h"
#include "raven/nn/batch_norm.h"
#include "raven/nn/linear.h"

namespace raven::nn {

/// Stochastic depth: in train mode each utterance's residual branch is left out with probability
/// `rate`.
class DropPathImpl : public torch::nn::Module {
 public:
  explicit DropPathImpl(double rate) : rate_(rate) {}
  torch::Tensor forward(const torch::Tensor& branch);  // (B, T, D)
  [[nodiscard]] double rate() const { return is_training() ? rate_ : 0; }

 private:
  double rate_;
};
TORCH_MODULE(DropPath);

struct Embedded {
  torch::Tensor x;          // (B, T, D)
  torch::Tensor positions;  // (2T-1, D), shared by all blocks
};

/// Linear projection, scaled by sqrt(D), and the table of relative positions; both with dropout.
/// Keys: "0" (linear), or mask_emb and linear with a mask token.
class InputEmbeddingImpl : public torch::nn::Module {
 public:
  /// Throws InternalError when the width is odd.
  InputEmbeddingImpl(const config::EncoderConfig& options, std::int64_t input_dim);

  /// x (B, T, input_dim); masked (B, T) bool: with a mask token, that replaces the projection of
  /// these frames; undefined: none.
  Embedded forward(const torch::Tensor& x, const torch::Tensor& masked);

 private:
  double scale_;
  torch::Tensor mask_emb;
  Linear linear{nullptr};
  torch::nn::Dropout input_dropout{nullptr}, position_dropout{nullptr};
};
TORCH_MODULE(InputEmbedding);

/// Keys: w_1, w_2.
class FeedForwardImpl : public torch::nn::Module {
 public:
  FeedForwardImpl(std::int64_t dim, std::int64_t inner_dim, double dropout);
  torch::Tensor forward(const torch::Tensor& x);

 private:
  Linear w_1{nullptr}, w_2{nullptr};
  torch::nn::Dropout inner_dropout{nullptr};
};
TORCH_MODULE(FeedForward);

/// LayerNorm with the published eps of 1e-12.
torch::nn::LayerNorm layer_norm(std::int64_t dim);

/// x + attention, then x + feed-forward, each behind its norm.
/// Keys: gamma_ff, gamma_mha (with layer_scale), self_attn, feed_forward, norm_ff, norm_mha.
class EncoderBlockImpl : public torch::nn::Module {
 public:
  /// Throws InternalError when `heads` does not divide the width.
  explicit EncoderBlockImpl(const config::EncoderConfig& options);

  /// x (B, T, D), positions (2T-1, D), valid (B, T) bool or undefined -> (B, T, D).
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& positions,
                        const torch::Tensor& valid);

 private:
  /// x + drop_path(dropout(gamma * output)).
  torch::Tensor add_branch(const torch::Tensor& x, const torch::Tensor& output,
                           const torch::Tensor& gamma);

  torch::Tensor gamma_ff, gamma_mha;  // (D)
  RelativeAttention self_attn{nullptr};
  FeedForward feed_forward{nullptr};
  BatchNorm norm_ff_batch{nullptr};
  torch::nn::LayerNorm norm_ff_layer{nullptr}, norm_mha{nullptr};
  torch::nn::Dropout branch_dropout{nullptr};
  DropPath drop_path{nullptr};
};
TORCH_MODULE(EncoderBlock);

}  // namespace raven::nn
