#include "data/tar_format.h"

#include <spdlog/fmt/fmt.h>

#include <cstring>

#include "raven/core/error.h"

namespace raven::data {
namespace {

struct Field {
  std::size_t offset, size;
};
constexpr Field kName{0, 100}, kMode{100, 8}, kOwner{108, 8}, kGroup{116, 8}, kSize{124, 12},
    kTime{136, 12}, kChecksum{148, 8}, kType{156, 1}, kMagic{257, 8}, kPrefix{345, 155};
constexpr char kRegularFile = '0', kPaxHeader = 'x';

using Block = std::array<char, kTarBlock>;

void put(Block& block, Field field, std::string_view text) {
  RAVEN_CHECK(text.size() <= field.size, "tar field of {} bytes for '{}'", field.size, text);
  std::memcpy(block.data() + field.offset, text.data(), text.size());
}

/// Sum of all bytes, those of the checksum field itself taken as blanks.
unsigned checksum_of(const Block& block) {
  unsigned sum = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const bool own = i >= kChecksum.offset && i < kChecksum.offset + kChecksum.size;
    sum += own ? static_cast<unsigned>(' ') : static_cast<unsigned char>(block[i]);
  }
  return sum;
}

std::string block_text(std::string_view name, std::string_view prefix, std::uint64_t size,
                       char type) {
  RAVEN_CHECK(size <= kTarMaxSize, "tar member of {} bytes", size);
  Block block{};
  put(block, kName, name);
  put(block, kMode, "0000644");
  put(block, kOwner, "0000000");
  put(block, kGroup, "0000000");
  put(block, kSize, fmt::format("{:011o}", size));
  put(block, kTime, "00000000000");
  put(block, kType, std::string_view(&type, 1));
  put(block, kMagic, std::string_view("ustar\00000", 8));
  put(block, kPrefix, prefix);
  put(block, kChecksum, fmt::format("{:06o}", checksum_of(block)) + std::string("\0 ", 2));
  return {block.data(), block.size()};
}

/// Where to split a name into prefix and rest, at a slash; empty when no place fits.
std::optional<std::size_t> split_point(std::string_view name) {
  if (name.size() > kPrefix.size + 1 + kName.size) return std::nullopt;
  for (auto slash = name.find('/'); slash != std::string_view::npos;
       slash = name.find('/', slash + 1)) {
    const auto rest = name.size() - slash - 1;
    if (slash > 0 && slash <= kPrefix.size && rest > 0 && rest <= kName.size) return slash;
  }
  return std::nullopt;
}

/// "<length> path=<name>\n", where the length counts its own digits.
std::string pax_record(std::string_view name) {
  const auto rest = fmt::format(" path={}\n", name);
  auto length = rest.size() + 1;
  while (std::to_string(length).size() + rest.size() != length) ++length;
  return std::to_string(length) + rest;
}

std::optional<std::uint64_t> octal(std::string_view text) {
  std::uint64_t value = 0;
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '7') {
    value = value * 8 + static_cast<std::uint64_t>(text[digits++] - '0');
  }
  if (digits == 0 || (digits < text.size() && text[digits] != '\0' && text[digits] != ' '))
    return std::nullopt;
  return value;
}

}  // namespace

std::string tar_header(std::string_view name, std::uint64_t size) {
  if (name.size() <= kName.size) return block_text(name, "", size, kRegularFile);
  if (const auto slash = split_point(name)) {
    return block_text(name.substr(*slash + 1), name.substr(0, *slash), size, kRegularFile);
  }
  const auto record = pax_record(name);
  auto header = block_text("PaxHeaders/name", "", record.size(), kPaxHeader) + record;
  header.append(tar_padding(record.size()), '\0');
  return header + block_text(name.substr(0, kName.size), "", size, kRegularFile);
}

std::optional<std::uint64_t> tar_content_size(std::span<const std::byte> bytes) {
  if (bytes.size() < kTarBlock) return std::nullopt;
  Block block;
  std::memcpy(block.data(), bytes.data(), block.size());
  const std::string_view text(block.data(), block.size());
  if (text.substr(kMagic.offset, 5) != "ustar") return std::nullopt;
  if (block[kType.offset] != kRegularFile && block[kType.offset] != '\0') return std::nullopt;
  if (octal(text.substr(kChecksum.offset, kChecksum.size)) != checksum_of(block))
    return std::nullopt;
  return octal(text.substr(kSize.offset, kSize.size));
}

}  // namespace raven::data
