// The device of a run: choosing it, its arithmetic, and what it has in use.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>

#include "raven/config/run_config.h"

namespace raven::nn {

/// auto: a GPU when there is one: of several that for the process of that number on its host, the
/// first one again where there are more processes. Throws ConfigError when a GPU is asked for and
/// none is usable; `problem` says why, if known.
torch::Device choose_device(config::Device device, const std::string& problem = "",
                            std::int64_t process = 0);

/// Process-wide: threads of CPU kernels (0: leave as it is) and whether fp32 products may use TF32.
void set_threads(std::int64_t threads);
void set_precision(config::Precision precision);

/// While it lives, and when `precision` is bf16, operators choose bfloat16 where that is safe
/// (autocast). Wrap the forward pass only.
class Autocast {
 public:
  Autocast(const torch::Device& device, config::Precision precision);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  torch::DeviceType type_;
  bool active_, enabled_before_ = false;
  torch::ScalarType dtype_before_ = torch::kFloat32;
};

/// Waits until the device has done what it was given.
void synchronise(const torch::Device& device);

struct MemoryUse {
  std::int64_t resident = 0, peak_resident = 0;  // of the process, bytes
  std::int64_t device = 0, peak_device = 0;      // tensors on the GPU, bytes
};
MemoryUse memory_use(const torch::Device& device);

/// "NVIDIA H100 80GB HBM3" where the driver tells, else "cuda:0"; "cpu" for the CPU.
std::string device_name(const torch::Device& device);

}  // namespace raven::nn
