#include "raven/core/crc32.h"

#include <zlib.h>

namespace raven {

std::uint32_t crc32(std::string_view bytes, std::uint32_t before) noexcept {
  if (bytes.empty()) return before;  // without a pointer zlib would begin anew
  const auto* data = reinterpret_cast<const Bytef*>(bytes.data());
  return static_cast<std::uint32_t>(::crc32_z(before, data, bytes.size()));
}

}  // namespace raven
