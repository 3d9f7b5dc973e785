#include "weights/zip_writer.h"

#include <algorithm>
#include <cstring>

#include "raven/core/crc32.h"
#include "raven/core/error.h"
#include "weights/zip_format.h"

namespace raven::weights {
namespace {

constexpr std::uint16_t kPaddingField = 0x4246;  // "FB", as PyTorch marks it
constexpr std::uint64_t kFieldBytes = 4;         // id and length of an extra field
constexpr std::uint16_t kPlainVersion = 20, kZip64Version = 45;
constexpr std::uint16_t kFirstDay = 1 << 5 | 1;  // 1 January 1980

/// Little-endian numbers, one after another.
class Record {
 public:
  template <class Number>
  Record& put(Number value) {
    std::string bytes(sizeof(value), '\0');
    std::memcpy(bytes.data(), &value, sizeof(value));
    bytes_ += bytes;
    return *this;
  }
  Record& u16(std::uint64_t value) { return put(static_cast<std::uint16_t>(value)); }
  Record& u32(std::uint64_t value) { return put(static_cast<std::uint32_t>(value)); }
  Record& u64(std::uint64_t value) { return put(value); }
  Record& text(std::string_view text) { return bytes_ += text, *this; }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

bool is_wide(std::uint64_t value) { return value >= kIn64; }

/// What has room for 32 bits stands there; what has not, in the zip64 field.
std::uint64_t narrow(std::uint64_t value) { return std::min<std::uint64_t>(value, kIn64); }

std::uint16_t flags_of(std::string_view name) {
  const bool ascii = std::all_of(name.begin(), name.end(), [](char c) { return (c & 0x80) == 0; });
  return ascii ? 0 : kUtf8;
}

}  // namespace

void ZipWriter::begin(const std::string& name, std::uint64_t size) {
  RAVEN_CHECK(left_ == 0, "the entry before is not complete");
  RAVEN_CHECK(!name.empty() && name.size() < kCountIn64, "an entry's name has {} bytes",
              name.size());
  Record extra;
  if (is_wide(size)) extra.u16(kZip64Field).u16(16).u64(size).u64(size);
  const auto before = out_.size() + kLocalBytes + name.size() + extra.bytes().size() + kFieldBytes;
  const auto padding = (kAlignment - before % kAlignment) % kAlignment;
  extra.u16(kPaddingField).u16(padding).text(std::string(padding, 'Z'));
  entries_.push_back({.name = name, .size = size, .header = out_.size()});
  const Record header = Record()
                            .u32(kLocalHeader)
                            .u16(is_wide(size) ? kZip64Version : kPlainVersion)
                            .u16(flags_of(name))
                            .u16(0)  // stored
                            .u16(0)
                            .u16(kFirstDay)
                            .u32(0)  // the CRC; end() sets it
                            .u32(narrow(size))
                            .u32(narrow(size))
                            .u16(name.size())
                            .u16(extra.bytes().size());
  out_.write(header.bytes() + name + extra.bytes());
  left_ = size;
}

void ZipWriter::write(std::string_view bytes) {
  RAVEN_CHECK(bytes.size() <= left_, "more than an entry's size is written to it");
  left_ -= bytes.size();
  entries_.back().crc = crc32(bytes, entries_.back().crc);
  out_.write(bytes);
}

void ZipWriter::end() {
  RAVEN_CHECK(left_ == 0, "{} bytes are missing in an entry", left_);
  const auto& entry = entries_.back();
  out_.replace(entry.header + kLocalCrc, Record().u32(entry.crc).bytes());
}

void ZipWriter::add(const std::string& name, std::string_view content) {
  begin(name, content.size());
  write(content);
  end();
}

void ZipWriter::finish() {
  const auto start = out_.size();
  for (const auto& entry : entries_) {
    Record wide;
    if (is_wide(entry.size)) wide.u64(entry.size).u64(entry.size);
    if (is_wide(entry.header)) wide.u64(entry.header);
    Record extra;
    if (!wide.bytes().empty()) {
      extra.u16(kZip64Field).u16(wide.bytes().size()).text(wide.bytes());
    }
    const auto version = wide.bytes().empty() ? kPlainVersion : kZip64Version;
    out_.write(Record()
                   .u32(kCentralHeader)
                   .u16(version)
                   .u16(version)
                   .u16(flags_of(entry.name))
                   .u16(0)
                   .u16(0)
                   .u16(kFirstDay)
                   .u32(entry.crc)
                   .u32(narrow(entry.size))
                   .u32(narrow(entry.size))
                   .u16(entry.name.size())
                   .u16(extra.bytes().size())
                   .u16(0)  // no comment
                   .u16(0)  // the only disk
                   .u16(0)  // no attributes
                   .u32(0)
                   .u32(narrow(entry.header))
                   .text(entry.name)
                   .text(extra.bytes())
                   .bytes());
  }
  const auto size = out_.size() - start, count = static_cast<std::uint64_t>(entries_.size());
  if (is_wide(start) || is_wide(size) || count >= kCountIn64) {
    const auto at = out_.size();
    out_.write(Record()
                   .u32(kEnd64)
                   .u64(kEnd64Bytes - 12)
                   .u16(kZip64Version)
                   .u16(kZip64Version)
                   .u32(0)
                   .u32(0)
                   .u64(count)
                   .u64(count)
                   .u64(size)
                   .u64(start)
                   .u32(kLocator64)
                   .u32(0)
                   .u64(at)
                   .u32(1)
                   .bytes());
  }
  const auto shown = std::min<std::uint64_t>(count, kCountIn64);
  out_.write(Record()
                 .u32(kEnd)
                 .u16(0)
                 .u16(0)
                 .u16(shown)
                 .u16(shown)
                 .u32(narrow(size))
                 .u32(narrow(start))
                 .u16(0)
                 .bytes());
}

}  // namespace raven::weights
