// One binary for machines with and without a GPU: raven links libtorch_cpu alone, and loads
// LibTorch's CUDA library at run time where an NVIDIA driver is present.
#pragma once

#include <filesystem>
#include <string>

#include "raven/config/run_config.h"

namespace raven::cli {

/// Loads libtorch_cuda.so from the folder of libtorch_cpu.so when there is a driver and `device` is
/// not cpu. Call it before the first use of Torch. Throws ConfigError with the reason when `device`
/// is cuda and the library cannot be loaded.
void load_cuda_library(config::Device device);

/// Why CUDA cannot be used, as the end of a message; empty when the library is loaded.
std::string cuda_library_problem();

struct CudaLibraries {
  std::string problem = "it was not asked for";  // why CUDA cannot be used; empty: it can
  std::filesystem::path kernels;                 // raven's own, whether or not they are there
  std::string kernels_problem;  // why they are not used; empty: they are, or CUDA is not
};

/// Does what load_cuda_library does for device=auto, without a word in the log.
const CudaLibraries& try_cuda_libraries();

/// What to tell a user whose machine has a driver, but whose runs use the CPU because of `problem`;
/// empty when there is nothing to tell.
std::string unused_gpu_warning(const std::string& problem);

}  // namespace raven::cli
