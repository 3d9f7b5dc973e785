// Batch normalisation with what surrounds it on a GPU, with raven's own CUDA kernels and the
// moments of the batch. float32 or bfloat16 rows; moments and sums are float32 or finer.
#pragma once

#include "nn/backend/batch_moments.h"
#include "nn/backend/normalise.h"

namespace raven::nn::backend {

/// Whether raven's kernels are loaded and can compute this.
bool can_use_cuda_kernels(const Normalisation& input);

/// x and residual are rows, (R, C) and contiguous. With gradients when these are enabled.
torch::Tensor normalise_on_cuda(const Normalisation& input);

/// Rows of images of `size` -> rows of pooled images.
torch::Tensor normalise_and_pool_on_cuda(const Normalisation& input, const ImageSize& size);

}  // namespace raven::nn::backend
