// Guesses the teacher's features for the frames that the student was not shown.
// Shapes: B utterances, T frames (25 Hz), D student width, Q target width.
#pragma once

#include <torch/torch.h>

#include <vector>

#include "raven/config/model_config.h"
#include "raven/nn/batch_norm.h"
#include "raven/nn/linear.h"
#include "raven/nn/transformer.h"

namespace raven::models {

/// Keys: embed.mask_emb and embed.linear (mask token) or embed.0 (linear), encoders.{i}...,
/// after_norm, last_linear. Kind mlp: hidden, hidden_2, ..., last_linear; mlp_batch_norm also norm,
/// norm_2, ... behind each; kind linear: last_linear; kind none: nothing.
class PredictorImpl : public torch::nn::Module {
 public:
  /// Throws ConfigError when kind is none and the two widths differ, InternalError for kind shared,
  /// which is the predictor of another loss.
  PredictorImpl(const config::PredictorConfig& options, std::int64_t encoder_dim,
                std::int64_t target_dim);

  /// x (B, T, D); masked (B, T) bool, true = the student did not see it; valid (B, T) bool, true =
  /// real frame. Returns (B, T, Q), meaningless where !valid.
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& masked,
                        const torch::Tensor& valid);

 private:
  void register_transformer(const config::PredictorConfig& options, std::int64_t encoder_dim);
  void register_hidden(const config::PredictorConfig& options, std::int64_t encoder_dim);
  torch::Tensor mlp(torch::Tensor h);

  config::PredictorKind kind_;
  nn::InputEmbedding embed{nullptr};
  torch::nn::ModuleList encoders;
  torch::nn::LayerNorm after_norm{nullptr};
  std::vector<nn::Linear> hidden;
  std::vector<nn::BatchNorm> norms;  // as many, or none
  nn::Linear last_linear{nullptr};
};
TORCH_MODULE(Predictor);

}  // namespace raven::models
