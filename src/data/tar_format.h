// The tar format (POSIX.1-1988 ustar, with a pax header where a name is too long for it), and what
// other programs make of it: GNU's long names and sizes, the format of Unix V7.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "raven/core/error.h"

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

/// Size of content that a header block announces; empty when the block is not the header of a
/// regular file.
std::optional<std::uint64_t> tar_content_size(std::span<const std::byte> block);

/// What a header block of any program says.
struct TarHeader {
  std::string name;
  std::uint64_t size = 0;
  char type = '0';
};

/// Empty when the block is not a header, by its checksum.
std::optional<TarHeader> parse_tar_header(std::span<const std::byte> block);

/// A regular file in a tar.
struct TarMember {
  std::string name;                    // without a leading ./
  std::uint64_t offset = 0, size = 0;  // of its content
};

/// Bytes of a tar, where all of them are there.
using ReadTar = std::function<std::span<const std::byte>(std::uint64_t offset, std::uint64_t size)>;

struct TarListing {
  std::vector<TarMember> members;  // whole ones, in file order
  /// Why the list ends before the tar does; none when it does not.
  std::optional<DataError> fault;
};

/// The regular files of a tar of `tar_size` bytes, found by its headers alone; others (folders,
/// links) are passed over. `file` is named in messages. A fault is what `read` throws, and
/// DataError ("corrupt") where there is no tar, where it is cut off, has sparse files, or would
/// take more memory than names may (1 GiB).
TarListing list_tar(std::uint64_t tar_size, const ReadTar& read, std::string_view file);

}  // namespace raven::data
