#include "nn/cuda/library.h"

#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>

#include <atomic>

#include "raven/core/error.h"
#include "raven/nn/cuda_library.h"

namespace raven::nn {
namespace {

std::atomic<const cuda::Kernels*> loaded{nullptr};
std::atomic<bool> enabled{true};

}  // namespace

std::string use_cuda_kernels(const std::filesystem::path& library) {
  RAVEN_CHECK(library.is_absolute(), "{} is looked for by a relative name", library.string());
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = dlerror();
    return fmt::format("cannot load {}: {}", library.string(),
                       reason == nullptr ? "unknown" : reason);
  }
  const auto entry =
      reinterpret_cast<const cuda::Kernels* (*)()>(dlsym(handle, "raven_cuda_kernels"));
  if (entry == nullptr) return fmt::format("{} is not raven's library", library.string());
  loaded = entry();
  return "";
}

void enable_cuda_kernels(bool on) { enabled = on; }

namespace cuda {

const Kernels* kernels() { return enabled ? loaded.load() : nullptr; }

Element element_of(const torch::Tensor& x) {
  return x.scalar_type() == torch::kBFloat16 ? Element::kBfloat16 : Element::kFloat32;
}

void* stream_of(const torch::Tensor& x) {
  const c10::impl::VirtualGuardImpl device(c10::DeviceType::CUDA);
  return device.getStream(x.device()).native_handle();
}

void* data_of(const torch::Tensor& x) { return x.defined() ? x.data_ptr() : nullptr; }

float* floats_of(const torch::Tensor& x) { return x.defined() ? x.data_ptr<float>() : nullptr; }

Rows rows_of(const torch::Tensor& rows) {
  return {.rows = rows.size(0),
          .channels = rows.size(1),
          .element = element_of(rows),
          .stream = stream_of(rows)};
}

bool can_use(const torch::Tensor& x, std::int64_t channels) {
  if (kernels() == nullptr || !x.is_cuda() || x.numel() == 0) return false;
  const bool known = x.scalar_type() == torch::kBFloat16 || x.scalar_type() == torch::kFloat32;
  return known && can_use_channels(channels, element_of(x));
}

void check_launches() {
  const char* problem = kernels()->last_error();
  RAVEN_CHECK(problem == nullptr, "a CUDA kernel could not be started: {}", problem);
}

}  // namespace cuda
}  // namespace raven::nn
