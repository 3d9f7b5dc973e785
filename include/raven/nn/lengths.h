// Which frames of a padded batch are real.
#pragma once

#include <torch/torch.h>

namespace raven::nn {

/// lengths (B) integers -> (B, T) bool, true = real frame.
torch::Tensor valid_frames(const torch::Tensor& lengths, std::int64_t num_frames);

}  // namespace raven::nn
