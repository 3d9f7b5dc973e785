#include <cstdint>
#include <string_view>

#include "raven/core/error.h"
#include "raven/weights/pytorch_archive.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto archive =
        raven::weights::parse_pytorch_archive({reinterpret_cast<const char*>(data), size}, "fuzz");
    for (const auto& [name, tensor] : raven::weights::tensors_in(archive.root)) {
      if (tensor.nbytes() > 8 * size + (16U << 20)) __builtin_trap();
      if (tensor.numel() > 10'000) continue;
      (void)tensor.contiguous();  // reads every element: a view outside its storage is seen
    }
  } catch (const raven::CheckpointError&) {
  }
  return 0;
}
