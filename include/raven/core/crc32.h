// CRC-32 of zip and gzip (IEEE 802.3): finds damage, not malice.
#pragma once

#include <cstdint>
#include <string_view>

namespace raven {

/// Of `bytes`, going on from the value of what stands before them.
std::uint32_t crc32(std::string_view bytes, std::uint32_t before = 0) noexcept;

}  // namespace raven
