#include "raven/core/crc32.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

namespace raven {
namespace {

static_assert(std::endian::native == std::endian::little, "words are read as they lie in memory");

constexpr std::uint32_t kPolynomial = 0xEDB88320U;  // bits reversed
constexpr std::size_t kSlices = 16;                 // bytes of one round

using Tables = std::array<std::array<std::uint32_t, 256>, kSlices>;

/// tables[k][b]: what byte b does to the value when k more bytes follow in its round.
constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    auto value = byte;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1U) != 0 ? kPolynomial : 0U);
    tables[0][byte] = value;
  }
  for (std::size_t k = 1; k < kSlices; ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const auto before = tables[k - 1][byte];
      tables[k][byte] = (before >> 8) ^ tables[0][before & 0xFFU];
    }
  }
  return tables;
}

constexpr Tables kTables = make_tables();

}  // namespace

std::uint32_t crc32(std::string_view bytes, std::uint32_t before) noexcept {
  auto value = ~before;
  const char* next = bytes.data();
  auto left = bytes.size();
  for (; left >= kSlices; left -= kSlices, next += kSlices) {
    std::array<std::uint32_t, kSlices / 4> words{};
    std::memcpy(words.data(), next, kSlices);
    words[0] ^= value;
    value = 0;
    for (std::size_t w = 0; w < words.size(); ++w) {
      const auto last = kSlices - 1 - 4 * w;  // bytes that follow the word's first
      value ^= kTables[last][words[w] & 0xFFU] ^ kTables[last - 1][words[w] >> 8 & 0xFFU] ^
               kTables[last - 2][words[w] >> 16 & 0xFFU] ^ kTables[last - 3][words[w] >> 24];
    }
  }
  for (; left > 0; --left, ++next) {
    value = (value >> 8) ^ kTables[0][(value ^ static_cast<unsigned char>(*next)) & 0xFFU];
  }
  return ~value;
}

}  // namespace raven
