#include "raven/nn/device.h"

#include <ATen/DeviceAccelerator.h>
#include <ATen/autocast_mode.h>
#include <dlfcn.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "raven/core/error.h"

namespace raven::nn {

torch::Device choose_device(config::Device device, const std::string& problem,
                            std::int64_t process) {
  if (device == config::Device::kCpu) return torch::kCPU;
  if (torch::cuda::is_available()) {
    const auto devices = static_cast<std::int64_t>(torch::cuda::device_count());
    return {torch::kCUDA, static_cast<torch::DeviceIndex>(process % devices)};
  }
  if (device == config::Device::kAuto) return torch::kCPU;
  throw ConfigError(
      fmt::format("device is cuda, but no GPU can be used{}{}; device=cpu runs without one",
                  problem.empty() ? "" : ": ", problem));
}

void set_threads(std::int64_t threads) {
  if (threads > 0) torch::set_num_threads(static_cast<int>(threads));
}

void set_precision(config::Precision precision) {
  const bool tf32 = precision != config::Precision::kFp32;
  at::globalContext().setAllowTF32CuBLAS(tf32);
  at::globalContext().setAllowTF32CuDNN(tf32);
}

Autocast::Autocast(const torch::Device& device, config::Precision precision)
    : type_(device.type()), active_(precision == config::Precision::kBf16) {
  if (!active_) return;
  enabled_before_ = at::autocast::is_autocast_enabled(type_);
  dtype_before_ = at::autocast::get_autocast_dtype(type_);
  at::autocast::set_autocast_enabled(type_, true);
  at::autocast::set_autocast_dtype(type_, torch::kBFloat16);
  at::autocast::increment_nesting();
}

Autocast::~Autocast() {
  if (!active_) return;
  // The cache holds bfloat16 copies of weights, which the next step changes.
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(type_, enabled_before_);
  at::autocast::set_autocast_dtype(type_, dtype_before_);
}

void synchronise(const torch::Device& device) {
  if (device.is_cuda()) torch::cuda::synchronize(device.index());
}

MemoryUse memory_use(const torch::Device& device) {
  MemoryUse use;
  std::int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages >> pages;  // the second number: resident pages
  use.resident = pages * ::sysconf(_SC_PAGESIZE);
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  use.peak_resident = usage.ru_maxrss * 1024;
  if (device.is_cuda()) {
    const auto stats = at::accelerator::getDeviceStats(device.index());
    use.device = stats.allocated_bytes[0].current;
    use.peak_device = stats.allocated_bytes[0].peak;
  }
  return use;
}

std::string device_name(const torch::Device& device) {
  if (!device.is_cuda()) return "cpu";
  // The driver that LibTorch has loaded counts visible GPUs as LibTorch does. Linking it, or the
  // CUDA runtime, would tie raven to machines that have them.
  void* driver = ::dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
  if (driver == nullptr) return device.str();
  const auto handle_of = reinterpret_cast<int (*)(int*, int)>(::dlsym(driver, "cuDeviceGet"));
  const auto name_of =
      reinterpret_cast<int (*)(char*, int, int)>(::dlsym(driver, "cuDeviceGetName"));
  std::array<char, 256> name{};
  int handle = 0;
  const bool known = handle_of != nullptr && name_of != nullptr &&
                     handle_of(&handle, std::max<int>(device.index(), 0)) == 0 &&
                     name_of(name.data(), static_cast<int>(name.size()), handle) == 0;
  ::dlclose(driver);
  return known ? std::string(name.data()) : device.str();
}

}  // namespace raven::nn
