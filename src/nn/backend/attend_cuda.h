// Self-attention with relative positions on a GPU, with raven's own CUDA kernels around LibTorch's
// matrix products. float32 or bfloat16; the biases float32.
#pragma once

#include "nn/backend/attend.h"

namespace raven::nn::backend {

/// Whether raven's kernels are loaded and can compute this.
bool can_use_cuda_kernels(const RelativeAttention& input);

/// (B, T, D), with gradients when these are enabled. Dropout draws from LibTorch's CPU generator.
torch::Tensor attend_on_cuda(const RelativeAttention& input);

}  // namespace raven::nn::backend
