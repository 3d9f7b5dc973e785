// Self-attention with relative positions on a GPU, from projections to mixed values, with raven's
// own CUDA kernels around LibTorch's matrix products. float32 or bfloat16.
// Shapes: B utterances, T frames, H heads, d width of a head, D = H d.
#pragma once

#include <torch/torch.h>

namespace raven::nn {

struct CudaAttention {
  torch::Tensor q, k, v;        // (B, T, D)
  torch::Tensor positions;      // (2T-1, D), of the same type
  torch::Tensor content_bias;   // (H, d) float32
  torch::Tensor position_bias;  // (H, d) float32
  torch::Tensor valid;          // (B, T) bool or undefined
  std::int64_t heads = 1;
  double dropout = 0;  // of the weights
};

/// Whether raven's kernels are loaded and take these tensors.
bool cuda_kernels_take(const CudaAttention& input);

/// (B, T, D), with gradients when these are enabled. Dropout draws from LibTorch's CPU generator.
torch::Tensor attend_on_cuda(const CudaAttention& input);

}  // namespace raven::nn
