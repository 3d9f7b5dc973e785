// What predictions cost beside their targets (docs/method.md, section 2).
// Shapes: B utterances, T frames (25 Hz), Q target width, N = B T.
#pragma once

#include <torch/torch.h>

#include "raven/config/pretrain_config.h"

namespace raven::models {

/// Cosine of each frame (B, T); lengths below 1e-8 count as that.
torch::Tensor cosines(const torch::Tensor& prediction, const torch::Tensor& target);

/// The loss of LossConfig::kind, summed over the frames of `where`: () with gradient, float32
/// whatever autocast says. prediction, target (B, T, Q) float32; where (B, T) bool. The contrastive
/// one compares all frames with all, N x N numbers; its negatives are the other frames of `where`.
torch::Tensor feature_loss(const config::LossConfig& options, const torch::Tensor& prediction,
                           const torch::Tensor& target, const torch::Tensor& where);

}  // namespace raven::models
