// Guesses the teacher's features for the frames that the student was not shown.
// Shapes: B utterances, T frames (25 Hz), D student width, Q target width.
#pragma once

#include <torch/torch.h>

#include "raven/config/model_config.h"

namespace raven::models {

class PredictorImpl : public torch::nn::Module {
 public:
  PredictorImpl(const config::PredictorConfig& options, std::int64_t encoder_dim,
                std::int64_t target_dim);

  /// x (B, T, D); masked (B, T) bool, true = the student did not see it; valid (B, T) bool, true = real
  /// frame. Returns (B, T, Q), meaningless where !valid.
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& masked,
                        const torch::Tensor& valid);
};
TORCH_MODULE(Predictor);

}  // namespace raven::models
