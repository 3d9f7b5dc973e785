// The end of a residual branch on a GPU, in one of raven's own CUDA kernels:
// x + keep * dropout(gamma * output). Shapes: B utterances, T frames, D width.
#pragma once

#include <torch/torch.h>

namespace raven::nn {

struct CudaBranch {
  torch::Tensor x, output;  // (B, T, D), float32 or bfloat16 each
  torch::Tensor gamma;      // (D) float32, or undefined: no layer scale
  torch::Tensor keep;       // (B) float32: drop-path's factor of each utterance, or undefined
  double dropout = 0;
};

/// Whether raven's kernels are loaded and take these tensors.
bool cuda_kernels_take(const CudaBranch& input);

/// (B, T, D), float32 unless both are bfloat16 and there is no gamma. With gradients when these are
/// enabled. Dropout draws from LibTorch's CPU generator.
torch::Tensor add_branch_on_cuda(const CudaBranch& input);

}  // namespace raven::nn
