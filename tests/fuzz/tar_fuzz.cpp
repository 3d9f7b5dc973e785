#include <cstddef>
#include <cstdint>
#include <span>

#include "data/tar_format.h"

/// A tar without an index.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto tar = std::as_bytes(std::span(data, size));
  const auto read = [&](std::uint64_t offset, std::uint64_t count) {
    if (offset > size || count > size - offset) __builtin_trap();
    return tar.subspan(offset, count);
  };
  const auto found = raven::data::list_tar(size, read, "fuzz.tar");
  for (const auto& member : found.members) {
    if (member.offset > size || member.size > size - member.offset) __builtin_trap();
  }
  return 0;
}
