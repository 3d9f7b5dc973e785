// The end of a residual branch on a GPU, in one of raven's own CUDA kernels. x and output are
// float32 or bfloat16 each, gamma float32.
#pragma once

#include "nn/backend/add_branch.h"

namespace raven::nn::backend {

/// Whether raven's kernels are loaded and can compute this.
bool can_use_cuda_kernels(const Branch& branch);

/// keep (B) float32: drop-path's factor of each utterance, or undefined. (B, T, D), float32 unless
/// both are bfloat16 and there is no gamma. With gradients when these are enabled. Dropout draws
/// from LibTorch's CPU generator.
torch::Tensor add_branch_on_cuda(const Branch& branch, const torch::Tensor& keep);

}  // namespace raven::nn::backend
