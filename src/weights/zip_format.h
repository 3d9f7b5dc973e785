// Numbers of the zip format (APPNOTE.TXT 6.3.10), for its reader and its writer.
#pragma once

#include <cstdint>

namespace raven::weights {

inline constexpr std::uint32_t kLocalHeader = 0x04034B50, kCentralHeader = 0x02014B50;
inline constexpr std::uint32_t kEnd = 0x06054B50, kEnd64 = 0x06064B50, kLocator64 = 0x07064B50;
inline constexpr std::uint64_t kLocalBytes = 30, kCentralBytes = 46;
inline constexpr std::uint64_t kEndBytes = 22, kEnd64Bytes = 56, kLocatorBytes = 20;
inline constexpr std::uint64_t kLocalCrc = 14;      // where it stands in an entry's own header
inline constexpr std::uint64_t kCentralCrc = 16;    // and in the directory
inline constexpr std::uint32_t kIn64 = 0xFFFFFFFF;  // "the value stands in the zip64 field"
inline constexpr std::uint16_t kCountIn64 = 0xFFFF;
inline constexpr std::uint16_t kZip64Field = 1;
inline constexpr std::uint16_t kEncrypted = 1 << 0, kSizesFollow = 1 << 3, kUtf8 = 1 << 11;

}  // namespace raven::weights
