// The tar format (POSIX.1-1988 ustar, with a pax header where a name is too long for it).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace raven::data {

inline constexpr std::uint64_t kTarBlock = 512;
inline constexpr std::uint64_t kTarMaxSize = 077777777777ULL;  // eleven octal digits

/// Bytes that follow content of `size` bytes to fill its last block.
constexpr std::uint64_t tar_padding(std::uint64_t size) {
  return (kTarBlock - size % kTarBlock) % kTarBlock;
}

/// Header blocks of a regular file: one block, or three or more when the name needs a pax header.
/// Owner, times and rights are the same for all, so that equal members give equal bytes.
std::string tar_header(std::string_view name, std::uint64_t size);

/// Size of content that a header block announces; empty when the block is no header of a regular
/// file.
std::optional<std::uint64_t> tar_content_size(std::span<const std::byte> block);

}  // namespace raven::data
