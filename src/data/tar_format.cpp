#include "data/tar_format.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "raven/core/error.h"

namespace raven::data {
namespace {

struct Field {
  std::size_t offset, size;
};
constexpr Field kName{0, 100}, kMode{100, 8}, kOwner{108, 8}, kGroup{116, 8}, kSize{124, 12},
    kTime{136, 12}, kChecksum{148, 8}, kType{156, 1}, kMagic{257, 8}, kPrefix{345, 155};
constexpr char kRegularFile = '0', kPaxHeader = 'x', kPaxForAll = 'g';
constexpr char kGnuLongName = 'L', kGnuLongLink = 'K', kGnuSparse = 'S';
constexpr std::uint64_t kLongestName = 4096, kMostPaxBytes = 1 << 20;
constexpr std::uint64_t kMostMembers = 10'000'000, kMostNameBytes = 1ULL << 30;

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
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  std::uint64_t value = 0;
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '7') {
    value = value * 8 + static_cast<std::uint64_t>(text[digits++] - '0');
  }
  if (digits == 0 || (digits < text.size() && text[digits] != '\0' && text[digits] != ' '))
    return std::nullopt;
  return value;
}

/// GNU writes what needs more than eleven octal digits as a binary number, behind a bit that is
/// set.
std::optional<std::uint64_t> number(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  if ((first & 0x80U) == 0) return octal(text);
  std::uint64_t value = first & 0x7FU;  // of a negative number, 0x7F: it overflows
  for (const char c : text.substr(1)) {
    if (value >> 55 != 0) return std::nullopt;
    value = value << 8 | static_cast<unsigned char>(c);
  }
  return value;
}

/// Up to the first NUL.
std::string_view text_in(const Block& block, Field field) {
  const std::string_view text(block.data() + field.offset, field.size);
  return text.substr(0, text.find('\0'));
}

/// Some programs of old summed signed bytes.
bool has_checksum(const Block& block) {
  const auto found = octal({block.data() + kChecksum.offset, kChecksum.size});
  if (!found) return false;
  if (*found == checksum_of(block)) return true;
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const bool own = i >= kChecksum.offset && i < kChecksum.offset + kChecksum.size;
    sum += own ? ' ' : static_cast<signed char>(block[i]);
  }
  return static_cast<std::int64_t>(*found) == sum;
}

/// What headers before a member's own say of it.
struct Extended {
  std::optional<std::string> name;
  std::optional<std::uint64_t> size;
  bool is_sparse = false;
};

/// "<length> <key>=<value>\n", one after another. False when they are damaged.
bool parse_pax(std::string_view records, Extended& extended) {
  while (!records.empty()) {
    std::size_t length = 0;
    const auto [end, error] =
        std::from_chars(records.data(), records.data() + records.size(), length);
    const auto digits = static_cast<std::size_t>(end - records.data());
    if (error != std::errc() || length <= digits + 1 || length > records.size() ||
        records[digits] != ' ' || records[length - 1] != '\n')
      return false;
    const auto record = records.substr(digits + 1, length - digits - 2);
    records.remove_prefix(length);
    const auto equals = record.find('=');
    if (equals == std::string_view::npos) return false;
    const auto key = record.substr(0, equals), value = record.substr(equals + 1);
    if (key == "path") extended.name = std::string(value);
    if (key.starts_with("GNU.sparse.")) extended.is_sparse = true;
    if (key != "size") continue;
    std::uint64_t size = 0;
    const auto [last, bad] = std::from_chars(value.data(), value.data() + value.size(), size);
    if (bad != std::errc() || last != value.data() + value.size()) return false;
    extended.size = size;
  }
  return true;
}

/// Goes through a tar's headers.
class TarLister {
 public:
  TarLister(std::uint64_t size, const ReadTar& read, std::string_view file)
      : size_(size), read_(read), file_(file) {}

  TarListing list() {
    TarListing listing;
    try {
      go_through();
    } catch (const DataError& error) {
      listing.fault = error;
    }
    listing.members = std::move(members_);
    return listing;
  }

 private:
  void go_through() {
    while (size_ - offset_ >= kTarBlock) {
      const auto block = read_(offset_, kTarBlock);
      if (std::ranges::all_of(block, [](std::byte b) { return b == std::byte{}; })) break;
      const auto header = parse_tar_header(block);
      if (!header) {
        refuse(offset_ == 0 ? "is not a tar file, or a compressed one; a plain tar is expected"
                            : "here stands no header of a tar's member");
      }
      offset_ += kTarBlock;
      take(*header);
    }
  }

  [[noreturn]] void refuse(const std::string& why) const {
    throw DataError(fmt::format("{}: byte {}: {}", file_, offset_, why));
  }

  [[nodiscard]] std::string_view content(std::uint64_t size, std::uint64_t most) const {
    if (size > most) refuse(fmt::format("a header of {} bytes, at most {} are read", size, most));
    check_inside(size);
    const auto bytes = read_(offset_, size);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  void check_inside(std::uint64_t size) const {
    if (size > size_ - offset_)
      refuse(fmt::format("{} bytes should follow, {} are there", size, size_ - offset_));
  }

  void pass(std::uint64_t size) {
    check_inside(size);
    offset_ += size;
    offset_ += std::min(tar_padding(size), size_ - offset_);  // the last one's may be left out
  }

  void take(const TarHeader& header) {
    switch (header.type) {
      case kPaxHeader:
        if (!parse_pax(content(header.size, kMostPaxBytes), next_)) refuse("a damaged pax header");
        return pass(header.size);
      case kGnuLongName: {
        const auto name = content(header.size, kLongestName + 1);
        next_.name = std::string(name.substr(0, name.find('\0')));
        return pass(header.size);
      }
      case kPaxForAll:
      case kGnuLongLink:
        return pass(header.size);
      default:
        break;
    }
    const auto extended = std::exchange(next_, {});
    const bool is_file = header.type == kRegularFile || header.type == '\0' || header.type == '7';
    const bool has_no_content =
        header.type >= '1' && header.type <= '6';  // links, devices, folders
    const auto size = has_no_content ? 0 : extended.size.value_or(header.size);
    if (header.type == kGnuSparse || (is_file && extended.is_sparse))
      refuse("a sparse file; make the tar without --sparse");
    auto name = extended.name.value_or(header.name);
    while (name.starts_with("./")) name.erase(0, 2);
    check_inside(size);
    if (is_file && !name.ends_with('/')) add(std::move(name), size);  // V7's folders end so
    pass(size);
  }

  void add(std::string name, std::uint64_t size) {
    if (name.size() > kLongestName)
      refuse(fmt::format("a name of {} bytes, at most {} are read", name.size(), kLongestName));
    name_bytes_ += name.size();
    if (members_.size() == kMostMembers || name_bytes_ > kMostNameBytes)
      refuse("more members than a shard may have");
    members_.push_back({.name = std::move(name), .offset = offset_, .size = size});
  }

  const std::uint64_t size_;
  const ReadTar& read_;
  const std::string_view file_;
  std::uint64_t offset_ = 0, name_bytes_ = 0;
  Extended next_;
  std::vector<TarMember> members_;
};

}  // namespace

std::optional<TarHeader> parse_tar_header(std::span<const std::byte> bytes) {
  if (bytes.size() < kTarBlock) return std::nullopt;
  Block block;
  std::memcpy(block.data(), bytes.data(), block.size());
  const auto size = number({block.data() + kSize.offset, kSize.size});
  if (!has_checksum(block) || !size) return std::nullopt;
  TarHeader header{
      .name = std::string(text_in(block, kName)), .size = *size, .type = block[kType.offset]};
  const std::string_view magic(block.data() + kMagic.offset, 6);
  if (magic == std::string_view("ustar\0", 6)) {  // GNU has other things in that place
    const auto prefix = text_in(block, kPrefix);
    if (!prefix.empty()) header.name = std::string(prefix) + "/" + header.name;
  }
  return header;
}

TarListing list_tar(std::uint64_t tar_size, const ReadTar& read, std::string_view file) {
  return TarLister(tar_size, read, file).list();
}

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
