// raven's own CUDA kernels are a shared library beside LibTorch's: without it, or without a GPU,
// the same results come from LibTorch's operators.
#pragma once

#include <filesystem>
#include <string>

namespace raven::nn {

/// Loads libraven_cuda.so; call it after LibTorch's CUDA library. Returns why it is not used, or an
/// empty text.
std::string use_cuda_kernels(const std::filesystem::path& library);

/// Switches them off and on again, for comparisons. They start switched on.
void enable_cuda_kernels(bool on);

}  // namespace raven::nn
