// NVIDIA GPUs: the driver, what may be seen of them, LibTorch's CUDA library, raven's kernels,
// NCCL.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "raven/config/run_config.h"
#include "raven/doctor/finding.h"

namespace raven::doctor {

struct Gpu {
  std::string name = {}, uuid = {};               // "NVIDIA H100 80GB HBM3", "GPU-..."
  std::uint64_t total_bytes = 0, free_bytes = 0;  // 0: unknown
  int major = 0, minor = 0;                       // compute capability; 0: unknown
};

/// What the driver tells, which takes no notice of CUDA_VISIBLE_DEVICES.
struct GpuDriver {
  bool present = false;
  std::string version = {};  // "580.65.06"; empty when it does not say
  int cuda = 0;              // newest CUDA that it runs: 13000 is 13.0; 0 when unknown
  std::vector<Gpu> gpus = {};
};

/// Asks the driver's own libraries, where there are any; makes no use of a GPU.
GpuDriver read_gpu_driver();

/// What became of the libraries that use a GPU.
struct CudaUse {
  config::Device wanted = config::Device::kAuto;
  std::optional<std::string> visible_devices = {};  // CUDA_VISIBLE_DEVICES
  std::string torch_cuda = {};       // version that LibTorch was built with; empty: without CUDA
  std::string library_problem = {};  // why LibTorch's CUDA library cannot be used; empty: it can
  std::string kernels_problem = {};  // the same of raven's own kernels
  std::string nccl = {};             // "2.27.5 in /.../libnccl.so.2"; empty: not loaded
};

/// GPUs that a process may use by CUDA_VISIBLE_DEVICES; what CUDA ignores does not count.
std::int64_t num_visible(const GpuDriver& driver,
                         const std::optional<std::string>& visible_devices);

/// Version and file of the NCCL in this process; empty when there is none.
std::string loaded_nccl();

/// gpu.driver, gpu.visible_devices, gpu.cuda_library, gpu.kernels, gpu.nccl, gpu.memory,
/// gpu.capability. A fault is a failure where device=cuda is wanted, a warning where a GPU is only
/// welcome, and nothing with device=cpu.
Findings check_gpu(const GpuDriver& driver, const CudaUse& use, std::int64_t processes);

}  // namespace raven::doctor
