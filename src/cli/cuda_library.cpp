#include "cli/cuda_library.h"

#include <dlfcn.h>
#include <link.h>
#include <spdlog/fmt/fmt.h>
#include <torch/cuda.h>
#include <unistd.h>

#include <filesystem>
#include <mutex>
#include <string_view>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/nn/cuda_library.h"

namespace raven::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kNoDriver = "no NVIDIA driver was found on this machine";

std::once_flag loaded_once, logged_once;
CudaLibraries libraries;  // written once, under loaded_once

bool has_driver() {
  if (access("/dev/nvidiactl", R_OK | W_OK) == 0) return true;
  void* driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (driver == nullptr) return false;
  dlclose(driver);
  return true;
}

// Folder of the libtorch_cpu.so that this program runs with; empty when it cannot be told, or is a
// relative path (of LD_LIBRARY_PATH), which would mean another folder after a change of directory.
fs::path torch_folder() {
  void* library = dlopen("libtorch_cpu.so", RTLD_NOW | RTLD_NOLOAD);
  if (library == nullptr) return {};
  link_map* map = nullptr;
  const bool found = dlinfo(library, RTLD_DI_LINKMAP, &map) == 0 && map != nullptr;
  fs::path folder = found ? fs::path(map->l_name).parent_path() : fs::path();
  dlclose(library);
  return folder.is_absolute() ? folder : fs::path();
}

std::string load() {
  if (!has_driver()) return std::string(kNoDriver);
  const auto folder = torch_folder();
  if (folder.empty()) {
    return "the folder of libtorch_cpu.so cannot be told; if LD_LIBRARY_PATH names it, give an "
           "absolute path there";
  }
  const auto library = folder / "libtorch_cuda.so";
  if (!fs::exists(library)) {
    return fmt::format("{} does not exist: this LibTorch is built without CUDA", library.string());
  }
  if (dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    const char* reason = dlerror();
    return fmt::format("cannot load {}: {}", library.string(),
                       reason == nullptr ? "unknown" : reason);
  }
  if (!torch::cuda::is_available()) {
    return "LibTorch finds no usable GPU (CUDA_VISIBLE_DEVICES hides all, or the driver is too "
           "old for CUDA 13)";
  }
  return "";
}

// raven's own kernels, beside the program's folder; without them LibTorch's operators do the work.
void load_own_kernels() {
  std::error_code error;
  const auto programs = program_folder();
  if (programs.empty()) {
    libraries.kernels_problem =
        "the folder of this program cannot be told (is /proc mounted?), so libraven_cuda.so beside "
        "it cannot be found";
    return;
  }
  libraries.kernels = programs.parent_path() / "lib" / "libraven_cuda.so";
  libraries.kernels_problem = fs::exists(libraries.kernels, error)
                                  ? nn::use_cuda_kernels(libraries.kernels)
                                  : libraries.kernels.string() + " does not exist";
}

// Logs once whether the libraries are used, with a warning when they should be and are not.
void log_outcome() {
  log::debug("CUDA library: {}", libraries.problem.empty() ? "loaded" : libraries.problem);
  if (const auto warning = unused_gpu_warning(libraries.problem); !warning.empty())
    log::warn("{}", warning);
  std::error_code error;
  if (libraries.kernels_problem.empty()) return;
  if (fs::exists(libraries.kernels, error)) {
    log::warn("raven's own CUDA kernels are not used: {}", libraries.kernels_problem);
  } else {
    log::info("{}: a GPU runs without raven's own kernels", libraries.kernels_problem);
  }
}

}  // namespace

std::string unused_gpu_warning(const std::string& found) {
  if (found.empty() || found == kNoDriver) return "";
  return fmt::format(
      "an NVIDIA driver is here, but no GPU can be used: {}; device=auto takes the CPU. "
      "`scripts/setup.sh --gpu` installs a LibTorch with all that CUDA needs; device=cpu says that "
      "no GPU is wanted",
      found);
}

const CudaLibraries& try_cuda_libraries() {
  std::call_once(loaded_once, [] {
    libraries.problem = load();
    if (libraries.problem.empty()) load_own_kernels();
  });
  return libraries;
}

void load_cuda_library(config::Device device) {
  if (device == config::Device::kCpu) return;
  const auto& problem = try_cuda_libraries().problem;
  std::call_once(logged_once, log_outcome);
  if (device == config::Device::kCuda && !problem.empty()) {
    throw ConfigError(
        fmt::format("device is cuda, but {}; device=cpu runs without a GPU", problem));
  }
}

std::string cuda_library_problem() { return libraries.problem; }

}  // namespace raven::cli
