#include "nn/cuda/lanes.cuh"

namespace raven::nn::cuda {
namespace {

const char* last_error() {
  const auto error = cudaGetLastError();
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

}  // namespace
}  // namespace raven::nn::cuda

extern "C" const raven::nn::cuda::Kernels* raven_cuda_kernels() {
  using namespace raven::nn::cuda;
  static const Kernels kernels{batch_norm_kernels(), attention_kernels(), branch_kernels(),
                               last_error};
  return &kernels;
}
