// Batch normalisation with what surrounds it, as one differentiable step on a CPU. Fused, an
// activation is kept once (the convolution's output) instead of three times, and passes through
// memory less often. float32 alone.
#pragma once

#include "nn/backend/batch_moments.h"
#include "nn/backend/normalise.h"

namespace raven::nn::backend {

/// Whether raven's own loops compute this. In eval mode with gradients the moments are constants;
/// that is rare, and left to the library.
bool can_use_own_loops(const Normalisation& input);

/// x and residual are rows, (R, C) and contiguous. With gradients when these are enabled.
torch::Tensor normalise_on_cpu(const Normalisation& input);

/// Rows of images of `size` -> rows of pooled images.
torch::Tensor normalise_and_pool_on_cpu(const Normalisation& input, const ImageSize& size);

}  // namespace raven::nn::backend
