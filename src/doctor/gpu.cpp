#include "raven/doctor/gpu.h"

#include <spdlog/fmt/fmt.h>

#include "core/text_file.h"
#include "doctor/visible_devices.h"

namespace raven::doctor {
namespace {

using config::Device;

constexpr const char* kUsesCpu = "device=auto takes the CPU, device=cuda refuses to start";

/// How bad it is that no GPU can be used.
Level without_gpu(const CudaUse& use) {
  return use.wanted == Device::kCuda ? Level::kFailure : Level::kWarning;
}

std::string cuda_text(int version) {
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

/// "13.0" -> 13; 0 when there is none.
int major_of(const std::string& version) {
  return whole_number<int>(version.substr(0, version.find('.'))).value_or(0);
}

Finding check_driver(const GpuDriver& driver, const CudaUse& use) {
  Finding finding{.id = "gpu.driver"};
  if (!driver.present) {
    finding.what = "no NVIDIA driver";
    if (use.wanted != Device::kCuda) return finding;
    finding.level = Level::kFailure;
    finding.means = "device is cuda, but no GPU can be used: raven refuses to start";
    finding.remedy =
        "device=cpu; or install NVIDIA's driver (nvidia-smi must list the GPU), in a container "
        "with the NVIDIA container "
        "toolkit and docker run --gpus all, under SLURM with --gres=gpu:1";
    return finding;
  }
  finding.what = fmt::format("driver {}{}, {} GPU{}",
                             driver.version.empty() ? "of unknown version" : driver.version,
                             driver.cuda > 0 ? " for CUDA " + cuda_text(driver.cuda) : "",
                             driver.gpus.size(), driver.gpus.size() == 1 ? "" : "s");
  for (const auto& gpu : driver.gpus)
    finding.what += fmt::format(", {} ({})", gpu.name, size_text(gpu.total_bytes));
  if (const int wanted = major_of(use.torch_cuda); driver.cuda > 0 && driver.cuda / 1000 < wanted) {
    finding.level = without_gpu(use);
    finding.means = fmt::format("it is too old for this LibTorch, which needs CUDA {}; {}",
                                use.torch_cuda, kUsesCpu);
    finding.remedy = fmt::format(
        "update the driver to one for CUDA {}.0 or newer (580 or newer for CUDA 13), or build "
        "raven with a LibTorch for CUDA {} (Torch_ROOT)",
        wanted, driver.cuda / 1000);
  } else if (driver.gpus.empty()) {
    finding.level = without_gpu(use);
    finding.means = fmt::format("the driver is here but shows no GPU; {}", kUsesCpu);
    finding.remedy =
        "nvidia-smi must list the GPU: in a container docker run --gpus all, under SLURM "
        "--gres=gpu:1; dmesg tells of broken ones";
  }
  return finding;
}

Finding check_visible(const GpuDriver& driver, const CudaUse& use) {
  Finding finding{.id = "gpu.visible_devices", .what = "CUDA_VISIBLE_DEVICES is not set"};
  if (!use.visible_devices) return finding;
  const auto visible = parse_visible_devices(driver, use.visible_devices);
  finding.what = fmt::format("CUDA_VISIBLE_DEVICES={}", *use.visible_devices);
  const bool hides_nothing =
      driver.gpus.empty() && visible.count == 0 && trimmed(*use.visible_devices).empty();
  if (visible.problem.empty() || (hides_nothing && use.wanted != Device::kCuda)) return finding;
  finding.what += fmt::format(": it {}", visible.problem);
  finding.level = visible.count == 0 ? without_gpu(use) : Level::kWarning;
  finding.means =
      visible.count == 0
          ? fmt::format("no GPU can be used; {}", kUsesCpu)
          : fmt::format("that entry and all after it are ignored: {} GPUs remain", visible.count);
  finding.remedy = driver.gpus.empty()
                       ? "unset CUDA_VISIBLE_DEVICES; without a GPU give device=cpu"
                       : fmt::format("unset CUDA_VISIBLE_DEVICES, or name GPUs of 0 to {}",
                                     driver.gpus.size() - 1);
  return finding;
}

Finding check_library(const GpuDriver& driver, const CudaUse& use) {
  Finding finding{.id = "gpu.cuda_library"};
  if (use.library_problem.empty()) {
    finding.what =
        fmt::format("LibTorch's library for CUDA {} is loaded and finds a GPU", use.torch_cuda);
    return finding;
  }
  if (!driver.present) {
    finding.what = "not loaded: there is no driver";
    return finding;
  }
  finding.level = without_gpu(use);
  finding.what = use.library_problem;
  finding.means = fmt::format("no GPU can be used; {}", kUsesCpu);
  finding.remedy =
      "scripts/setup.sh --gpu installs a LibTorch with all that CUDA needs; with a Python package "
      "of torch 2.11, build with "
      "Torch_ROOT=<site-packages>/torch or start with LD_LIBRARY_PATH=<site-packages>/torch/lib";
  return finding;
}

Finding check_kernels(const CudaUse& use) {
  Finding finding{.id = "gpu.kernels"};
  if (!use.library_problem.empty()) {
    finding.what = "libraven_cuda.so is not needed: no GPU is used";
  } else if (use.kernels_problem.empty()) {
    finding.what = "libraven_cuda.so is loaded";
  } else {
    finding.level = Level::kWarning;
    finding.what = use.kernels_problem;
    finding.means = "the GPU runs LibTorch's operators instead: the same results, slower training";
    finding.remedy =
        "build raven with nvcc 13 on the PATH (scripts/build.sh release), which makes "
        "lib/libraven_cuda.so beside bin/";
  }
  return finding;
}

Finding check_nccl(const CudaUse& use, std::int64_t processes) {
  Finding finding{.id = "gpu.nccl", .what = use.nccl.empty() ? "not loaded" : use.nccl};
  if (!use.nccl.empty() || !use.library_problem.empty() || processes < 2) return finding;
  finding.level = Level::kFailure;
  finding.means = "several processes are to work together, and GPUs exchange gradients through it";
  finding.remedy = "install a LibTorch with its CUDA libraries: scripts/setup.sh --gpu";
  return finding;
}

Findings check_each(const GpuDriver& driver) {
  constexpr int kLeastMajor = 7, kLeastMinor = 5;  // of CUDA 13
  Findings findings;
  for (std::size_t i = 0; i < driver.gpus.size(); ++i) {
    const auto& gpu = driver.gpus[i];
    if (gpu.total_bytes > 0 && gpu.free_bytes < gpu.total_bytes / 2) {
      findings.push_back(
          {.id = "gpu.memory",
           .level = Level::kWarning,
           .what = fmt::format("GPU {}: {} of {} free", i, size_text(gpu.free_bytes),
                               size_text(gpu.total_bytes)),
           .means =
               "another program uses it: raven may run out of memory there, and both become slower",
           .remedy =
               "nvidia-smi shows which; end it, or choose another GPU with CUDA_VISIBLE_DEVICES"});
    }
    const bool old = gpu.major > 0 && (gpu.major < kLeastMajor ||
                                       (gpu.major == kLeastMajor && gpu.minor < kLeastMinor));
    if (!old) continue;
    findings.push_back(
        {.id = "gpu.capability",
         .level = Level::kWarning,
         .what = fmt::format("GPU {}, {}, has compute capability {}.{}", i, gpu.name, gpu.major,
                             gpu.minor),
         .means = "CUDA 13 needs 7.5 (Turing) or newer: the first operator fails on it",
         .remedy = "choose a newer GPU with CUDA_VISIBLE_DEVICES, or build raven with a LibTorch "
                   "for CUDA 12 (Torch_ROOT)"});
  }
  return findings;
}

}  // namespace

std::int64_t num_visible(const GpuDriver& driver,
                         const std::optional<std::string>& visible_devices) {
  return parse_visible_devices(driver, visible_devices).count;
}

Findings check_gpu(const GpuDriver& driver, const CudaUse& use, std::int64_t processes) {
  if (use.wanted == Device::kCpu)
    return {{.id = "gpu.driver", .what = "device=cpu: no GPU is wanted"}};
  Findings findings = {check_driver(driver, use), check_visible(driver, use),
                       check_library(driver, use)};
  if (!driver.present) return findings;
  findings.push_back(check_kernels(use));
  findings.push_back(check_nccl(use, processes));
  for (auto& finding : check_each(driver)) findings.push_back(std::move(finding));
  return findings;
}

}  // namespace raven::doctor
