// Batch normalisation with what surrounds it on a GPU, in train mode: as nn/normalise.h, with
// raven's own CUDA kernels. float32 or bfloat16 rows; moments and sums are float32 or finer.
#pragma once

#include <torch/torch.h>

namespace raven::nn {

struct CudaNormalisation {
  torch::Tensor rows;                            // (R, C), contiguous
  torch::Tensor weight, bias;                    // (C) float32
  torch::Tensor residual;                        // (R, C) or undefined
  torch::Tensor running_mean, running_variance;  // (C) float32, updated; undefined: left alone
  torch::Tensor batches_tracked;                 // () int64, counts one more; undefined: left alone
  double momentum = 0.1;
  double eps = 1e-5;
  bool silu = false;
  bool in_place = false;  // without gradients, `rows` may be overwritten
};

/// Whether raven's kernels are loaded and take x (B, C, ...) or (B, T, C) with this many channels.
bool cuda_kernels_take(const torch::Tensor& x, std::int64_t channels);

/// With gradients when these are enabled.
torch::Tensor normalise_on_cuda(const CudaNormalisation& input);

/// The stem's SiLU and pooling behind it, as normalise_and_pool.
torch::Tensor normalise_and_pool_on_cuda(const CudaNormalisation& input, std::int64_t height,
                                         std::int64_t width);

}  // namespace raven::nn
