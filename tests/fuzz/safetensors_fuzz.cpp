#include <cstdint>
#include <string_view>

#include "raven/core/error.h"
#include "raven/weights/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto content =
        raven::weights::parse_safetensors({reinterpret_cast<const char*>(data), size}, "fuzz");
    for (const auto& [name, tensor] : content.tensors) {
      if (tensor.nbytes() > size) __builtin_trap();  // more memory than the file has bytes
    }
  } catch (const raven::CheckpointError&) {
  }
  return 0;
}
