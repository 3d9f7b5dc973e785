// Asks NVIDIA's driver libraries by hand, so that raven needs neither them nor their headers to be
// built or to start.
#include <dlfcn.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "core/text_file.h"
#include "raven/doctor/gpu.h"

namespace raven::doctor {
namespace {

namespace fs = std::filesystem;

class Library {
 public:
  explicit Library(const char* name, int flags = RTLD_LAZY | RTLD_LOCAL)
      : handle_(::dlopen(name, flags)) {}
  ~Library() {
    if (handle_ != nullptr) ::dlclose(handle_);
  }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  explicit operator bool() const { return handle_ != nullptr; }

  /// nullptr when the library has none of that name.
  template <class Function>
  Function* function(const char* name) const {
    return handle_ == nullptr ? nullptr : reinterpret_cast<Function*>(::dlsym(handle_, name));
  }

 private:
  void* handle_;
};

// As in NVIDIA's nvml.h, cuda.h and nccl.h; all of them return 0 for success.
struct NvmlMemory {
  unsigned long long total, free, used;
};
using Device = void*;
using Start = int();
using CountDevices = int(unsigned*);
using DeviceOfIndex = int(unsigned, Device*);
using DeviceText = int(Device, char*, unsigned);
using DeviceMemory = int(Device, NvmlMemory*);
using DeviceCapability = int(Device, int*, int*);
using SystemText = int(char*, unsigned);
using Version = int(int*);

class Nvml {
 public:
  Nvml() {
    auto* start = library_.function<Start>("nvmlInit_v2");
    started_ = start != nullptr && start() == 0;
  }
  ~Nvml() {
    auto* stop = library_.function<Start>("nvmlShutdown");
    if (started_ && stop != nullptr) stop();
  }
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  [[nodiscard]] bool started() const { return started_; }

  [[nodiscard]] std::string driver_version() const {
    std::array<char, 96> text{};
    auto* ask = library_.function<SystemText>("nvmlSystemGetDriverVersion");
    return ask != nullptr && ask(text.data(), text.size()) == 0 ? text.data() : "";
  }

  [[nodiscard]] std::vector<Gpu> gpus() const {
    unsigned count = 0;
    auto* ask = library_.function<CountDevices>("nvmlDeviceGetCount_v2");
    auto* find = library_.function<DeviceOfIndex>("nvmlDeviceGetHandleByIndex_v2");
    if (ask == nullptr || find == nullptr || ask(&count) != 0) return {};
    std::vector<Gpu> gpus(count);
    for (unsigned i = 0; i < count; ++i) {
      Device device = nullptr;
      if (find(i, &device) == 0) describe(device, gpus[i]);
    }
    return gpus;
  }

 private:
  [[nodiscard]] std::string text_of(Device device, const char* function) const {
    std::array<char, 128> text{};
    auto* ask = library_.function<DeviceText>(function);
    return ask != nullptr && ask(device, text.data(), text.size()) == 0 ? text.data() : "";
  }

  void describe(Device device, Gpu& gpu) const {
    gpu.name = text_of(device, "nvmlDeviceGetName");
    gpu.uuid = text_of(device, "nvmlDeviceGetUUID");
    NvmlMemory memory{};
    auto* ask_memory = library_.function<DeviceMemory>("nvmlDeviceGetMemoryInfo");
    if (ask_memory != nullptr && ask_memory(device, &memory) == 0) {
      gpu.total_bytes = memory.total;
      gpu.free_bytes = memory.free;
    }
    auto* ask_capability =
        library_.function<DeviceCapability>("nvmlDeviceGetCudaComputeCapability");
    if (ask_capability != nullptr) ask_capability(device, &gpu.major, &gpu.minor);
  }

  Library library_{"libnvidia-ml.so.1"};
  bool started_ = false;
};

/// Names in /proc, where libnvidia-ml is not installed.
std::vector<Gpu> gpus_in_proc() {
  std::vector<Gpu> gpus;
  std::error_code ignored;
  for (const auto& folder : fs::directory_iterator("/proc/driver/nvidia/gpus", ignored)) {
    Gpu gpu;
    const auto content = read_text((folder.path() / "information").string()).value_or("");
    for (const auto line : split(content, '\n')) {
      const auto colon = line.find(':');
      if (colon == std::string_view::npos) continue;
      if (line.substr(0, colon) == "Model") gpu.name = trimmed(line.substr(colon + 1));
      if (line.substr(0, colon) == "GPU UUID") gpu.uuid = trimmed(line.substr(colon + 1));
    }
    gpus.push_back(gpu);
  }
  return gpus;
}

}  // namespace

GpuDriver read_gpu_driver() {
  GpuDriver driver;
  const Library cuda("libcuda.so.1");
  driver.present = static_cast<bool>(cuda) || ::access("/dev/nvidiactl", F_OK) == 0;
  if (auto* version = cuda.function<Version>("cuDriverGetVersion");
      version != nullptr && version(&driver.cuda) != 0)
    driver.cuda = 0;
  const Nvml nvml;
  driver.version = nvml.driver_version();
  driver.gpus = nvml.started() ? nvml.gpus() : gpus_in_proc();
  return driver;
}

std::string loaded_nccl() {
  const Library library("libnccl.so.2", RTLD_LAZY | RTLD_NOLOAD);
  auto* ask = library.function<Version>("ncclGetVersion");
  int version = 0;
  if (ask == nullptr || ask(&version) != 0) return "";
  Dl_info place{};
  const bool found =
      ::dladdr(reinterpret_cast<void*>(ask), &place) != 0 && place.dli_fname != nullptr;
  return std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100) + (found ? std::string(" in ") + place.dli_fname : "");
}

}  // namespace raven::doctor
