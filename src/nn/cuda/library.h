// Where the table of raven's CUDA kernels is kept once it was loaded.
#pragma once

#include <torch/torch.h>

#include "nn/cuda/cuda_kernels.h"

namespace raven::nn::cuda {

/// nullptr until nn::use_cuda_kernels (raven/nn/cuda_library.h) was called.
const Kernels* kernels();

Element element_of(const torch::Tensor& x);

/// The current stream of its device, a cudaStream_t.
void* stream_of(const torch::Tensor& x);

/// Device memory of a tensor, nullptr where it is undefined.
void* data_of(const torch::Tensor& x);
float* floats_of(const torch::Tensor& x);

/// Rows (R, C) of a contiguous CUDA tensor, on the current stream.
Rows rows_of(const torch::Tensor& rows);

/// Whether the kernels can be used on such a tensor with `channels` channels.
bool can_use(const torch::Tensor& x, std::int64_t channels);

/// Throws InternalError when a launch failed.
void check_launches();

}  // namespace raven::nn::cuda
