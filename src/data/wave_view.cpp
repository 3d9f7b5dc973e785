#include "raven/data/wave_view.h"

#include <cstdint>
#include <cstring>
#include <string_view>

#include "raven/core/error.h"
#include "raven/media/media.h"

namespace raven::data {
namespace {

constexpr std::size_t kRiffHeader = 12, kChunkHeader = 8, kFormatBytes = 16;
constexpr std::uint32_t kUnknownSize = 0xFFFFFFFF;  // of streams whose writer could not go back
constexpr std::uint16_t kPcm = 1;

template <class Number>
Number little_endian(std::span<const std::byte> bytes, std::size_t offset) {
  Number value = 0;
  for (std::size_t i = 0; i < sizeof(Number); ++i) {
    value = static_cast<Number>(
        value | static_cast<Number>(static_cast<Number>(bytes[offset + i]) << (8 * i)));
  }
  return value;
}

bool has_tag(std::span<const std::byte> bytes, std::size_t offset, std::string_view tag) {
  return std::memcmp(bytes.data() + offset, tag.data(), tag.size()) == 0;
}

bool is_plain_format(std::span<const std::byte> format) {
  return little_endian<std::uint16_t>(format, 0) == kPcm &&
         little_endian<std::uint16_t>(format, 2) == 1 &&
         little_endian<std::uint32_t>(format, 4) == media::kSampleRateHz &&
         little_endian<std::uint16_t>(format, 12) == 2 &&
         little_endian<std::uint16_t>(format, 14) == 16;
}

}  // namespace

std::optional<std::span<const std::byte>> view_pcm16_wave(std::span<const std::byte> bytes,
                                                          const std::string& name) {
  if (bytes.size() < kRiffHeader || !has_tag(bytes, 0, "RIFF") || !has_tag(bytes, 8, "WAVE"))
    return std::nullopt;
  bool plain = false;
  for (std::size_t at = kRiffHeader; bytes.size() - at >= kChunkHeader;) {
    const auto size = little_endian<std::uint32_t>(bytes, at + 4);
    const auto content = bytes.subspan(at + kChunkHeader);
    if (has_tag(bytes, at, "data")) {
      if (!plain || size == kUnknownSize || size == 0) return std::nullopt;
      if (size > content.size()) {
        throw DataError(fmt::format("{}: cut off: {} bytes of samples are announced, {} are there",
                                    name, size, content.size()));
      }
      return content.first(size / 2 * 2);
    }
    if (size > content.size()) break;
    if (has_tag(bytes, at, "fmt ")) {
      if (size < kFormatBytes || !is_plain_format(content)) return std::nullopt;
      plain = true;
    }
    at += kChunkHeader + size + size % 2;
    if (at > bytes.size()) break;
  }
  if (!plain) return std::nullopt;
  throw DataError(fmt::format("{}: cut off before its samples", name));
}

void pcm16_to_float(std::span<const std::byte> pcm, float* out) {
  const auto* from = pcm.data();
  const auto count = pcm.size() / 2;
  for (std::size_t i = 0; i < count; ++i) {  // vectorised by the compiler; hosts are little-endian
    std::int16_t sample;
    std::memcpy(&sample, from + 2 * i, 2);
    out[i] = static_cast<float>(sample) * (1.0F / 32768.0F);
  }
}

}  // namespace raven::data
