#include "cuda_library.h"

#include <dlfcn.h>
#include <link.h>
#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <filesystem>
#include <mutex>

#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/nn/cuda_library.h"

namespace raven::cli {
namespace {

namespace fs = std::filesystem;

std::once_flag loaded_once;
std::string problem = "it was not asked for";  // written once, under loaded_once

bool has_driver() {
  if (access("/dev/nvidiactl", R_OK | W_OK) == 0) return true;
  void* driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (driver == nullptr) return false;
  dlclose(driver);
  return true;
}

// Folder of the libtorch_cpu.so that this program runs with; empty when it cannot be told.
fs::path torch_folder() {
  void* library = dlopen("libtorch_cpu.so", RTLD_NOW | RTLD_NOLOAD);
  if (library == nullptr) return {};
  link_map* map = nullptr;
  const bool found = dlinfo(library, RTLD_DI_LINKMAP, &map) == 0 && map != nullptr;
  fs::path folder = found ? fs::path(map->l_name).parent_path() : fs::path();
  dlclose(library);
  return folder;
}

std::string load() {
  if (!has_driver()) return "no NVIDIA driver was found on this machine";
  const fs::path library = torch_folder() / "libtorch_cuda.so";
  if (!fs::exists(library)) {
    return fmt::format("{} does not exist: this LibTorch is built without CUDA", library.string());
  }
  if (dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    const char* reason = dlerror();
    return fmt::format("cannot load {}: {}", library.string(),
                       reason == nullptr ? "unknown" : reason);
  }
  return "";
}

// raven's own kernels, beside the program's folder; without them LibTorch's operators do the work.
void load_own_kernels() {
  std::error_code error;
  const auto program = fs::read_symlink("/proc/self/exe", error);
  const auto library = program.parent_path().parent_path() / "lib" / "libraven_cuda.so";
  if (!fs::exists(library, error)) {
    log::info("{} does not exist: a GPU runs without raven's own kernels", library.string());
    return;
  }
  const auto reason = nn::use_cuda_kernels(library);
  if (!reason.empty()) log::warn("raven's own CUDA kernels are not used: {}", reason);
}

}  // namespace

void load_cuda_library(config::Device device) {
  if (device == config::Device::kCpu) return;
  std::call_once(loaded_once, [] {
    problem = load();
    if (problem.empty()) load_own_kernels();
    log::debug("CUDA library: {}", problem.empty() ? "loaded" : problem);
  });
  if (device == config::Device::kCuda && !problem.empty()) {
    throw ConfigError(
        fmt::format("device is cuda, but {}; device=cpu runs without a GPU", problem));
  }
}

std::string cuda_library_problem() { return problem; }

}  // namespace raven::cli
