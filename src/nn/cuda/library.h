// Where the table of raven's CUDA kernels is kept once it was loaded.
#pragma once

#include <torch/torch.h>

#include "nn/cuda/cuda_kernels.h"

namespace raven::nn::cuda {

/// nullptr until nn::use_cuda_kernels (raven/nn/cuda_library.h) was called.
const Kernels* kernels();

/// Rows (R, C) of a contiguous CUDA tensor, on the current stream.
Rows rows_of(const torch::Tensor& rows);

/// Whether the kernels take such a tensor with `channels` channels.
bool takes(const torch::Tensor& x, std::int64_t channels);

/// Throws InternalError when a launch failed.
void check_launches();

}  // namespace raven::nn::cuda
