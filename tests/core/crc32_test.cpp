#include "raven/core/crc32.h"

#include <gtest/gtest.h>

#include <string>

namespace raven {
namespace {

/// Bit by bit, as the standard describes it.
std::uint32_t slow(std::string_view bytes) {
  std::uint32_t value = ~0U;
  for (const char byte : bytes) {
    value ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  return ~value;
}

TEST(Crc32, GivesTheKnownValue) {  // the "check" of CRC-32/ISO-HDLC in the catalogue of CRCs
  EXPECT_EQ(crc32("123456789"), 0xCBF43926U);
  EXPECT_EQ(crc32(""), 0U);
  EXPECT_EQ(crc32({}, 0xCBF43926U), 0xCBF43926U);
}

TEST(Crc32, OfAnyLengthInAnyPartsIsThatOfTheBits) {
  std::string bytes;
  for (int i = 0; i < 75; ++i) bytes += static_cast<char>(i * i * 7 + 3);
  for (std::size_t length = 0; length <= bytes.size(); ++length) {
    const auto part = std::string_view(bytes).substr(0, length);
    EXPECT_EQ(crc32(part), slow(part)) << length;
    EXPECT_EQ(crc32(std::string_view(bytes).substr(length), crc32(part)), slow(bytes)) << length;
  }
}

}  // namespace
}  // namespace raven
