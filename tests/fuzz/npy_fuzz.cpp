#include "raven/corpus/npy.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "raven/core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto array =
        raven::corpus::parse_npy({reinterpret_cast<const std::byte*>(data), size}, "fuzz");
    if (array.data.size() > size) __builtin_trap();
    if (array.num_elements() > static_cast<std::int64_t>(size)) __builtin_trap();
    const auto again = raven::corpus::npy_bytes(array.descr, array.shape, array.data);
    const auto copy = raven::corpus::parse_npy(std::as_bytes(std::span(again)), "copy");
    if (copy.shape != array.shape || copy.data.size() != array.data.size()) __builtin_trap();
    const auto values = raven::corpus::npy_as_doubles(array, "fuzz");
    if (values.size() != static_cast<std::size_t>(array.num_elements())) __builtin_trap();
  } catch (const raven::DataError&) {
  }
  return 0;
}
