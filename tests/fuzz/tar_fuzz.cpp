#include <cstddef>
#include <cstdint>
#include <span>

#include "data/tar_format.h"
#include "raven/core/error.h"

/// A tar without an index.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto tar = std::as_bytes(std::span(data, size));
  const auto read = [&](std::uint64_t offset, std::uint64_t count) {
    if (offset > size || count > size - offset) __builtin_trap();
    return tar.subspan(offset, count);
  };
  try {
    for (const auto& member : raven::data::list_tar(size, read, "fuzz.tar")) {
      if (member.offset > size || member.size > size - member.offset) __builtin_trap();
    }
  } catch (const raven::DataError&) {
  }
  return 0;
}
