// Multi-head self-attention with relative positions (Transformer-XL's form, arXiv 1901.02860).
// Shapes: B utterances, T frames, D width, H heads, d = D / H.
#pragma once

#include <torch/torch.h>

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
  torch::Tensor heads_of(const torch::Tensor& x) const;  // (..., D) -> (..., H, d)

  std::int64_t heads_;
  torch::Tensor pos_bias_u, pos_bias_v;
  torch::nn::Linear linear_q{nullptr}, linear_k{nullptr}, linear_v{nullptr}, linear_out{nullptr},
      linear_pos{nullptr};
  torch::nn::Dropout attention_dropout{nullptr};
};
TORCH_MODULE(RelativeAttention);

}  // namespace raven::nn
