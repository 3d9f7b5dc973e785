#include "raven/corpus/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "raven/core/error.h"

namespace raven::corpus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// A version 1 file with this header text and these data bytes.
std::string file_with(const std::string& header, const std::string& data = "") {
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(header.size() & 0xFF);
  file += static_cast<char>(header.size() >> 8);
  return file + header + data;
}

std::string header_of(const std::string& descr, const std::string& shape,
                      const char* fortran = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n";
}

std::string message_of(const std::string& file) {
  try {
    const auto array = parse_npy(bytes_of(file), "face.npy");
    static_cast<void>(npy_as_doubles(array, "face.npy"));
  } catch (const DataError& error) {
    EXPECT_EQ(error.reason(), "corrupt");
    EXPECT_THAT(error.what(), HasSubstr("face.npy: "));
    return error.what();
  }
  return "accepted";
}

TEST(Npy, ReadsWhatItWrites) {
  const std::vector<float> values = {1.5F, -2, 0, 4, 5, 6};
  const std::vector<std::int64_t> shape = {3, 2};
  const auto file = npy_bytes("<f4", shape, std::as_bytes(std::span(values)));
  EXPECT_EQ((file.size() - values.size() * sizeof(float)) % 64, 0U);
  const auto array = parse_npy(bytes_of(file), "a");
  EXPECT_EQ(array.descr, "<f4");
  EXPECT_FALSE(array.fortran_order);
  EXPECT_EQ(array.shape, shape);
  EXPECT_THAT(npy_as_doubles(array, "a"), ElementsAre(1.5, -2, 0, 4, 5, 6));
}

TEST(Npy, WritesTheBytesThatNumPyWrites) {  // np.save of np.array([7], "u1")
  const std::vector<std::uint8_t> values = {7};
  const auto file =
      npy_bytes("|u1", std::vector<std::int64_t>{1}, std::as_bytes(std::span(values)));
  const std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }";
  EXPECT_EQ(file, std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header +
                      std::string(118 - 1 - header.size(), ' ') + "\n\x07");
}

TEST(Npy, ReadsEveryNumberType) {
  const auto first = [](const std::string& descr, const std::string& data) {
    const auto file = file_with(header_of(descr, "()"), data);
    return npy_as_doubles(parse_npy(bytes_of(file), "a"), "a").at(0);
  };
  EXPECT_EQ(first("|b1", "\x01"), 1);
  EXPECT_EQ(first("|i1", "\xFF"), -1);
  EXPECT_EQ(first("|u1", "\xFF"), 255);
  EXPECT_EQ(first("<i2", std::string("\x00\x01", 2)), 256);
  EXPECT_EQ(first(">i2", std::string("\x00\x01", 2)), 1);
  EXPECT_EQ(first("<u4", "\xFF\xFF\xFF\xFF"), 4294967295.0);
  EXPECT_EQ(first("<i8", "\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF"), -2);
  EXPECT_EQ(first(">f4", std::string("\x3F\xC0\x00\x00", 4)), 1.5);
  EXPECT_EQ(first("<f8", std::string("\x00\x00\x00\x00\x00\x00\xF8\x3F", 8)), 1.5);
}

TEST(Npy, ReadsColumnMajorArraysInRowOrder) {
  const auto file = file_with(header_of("|u1", "(2, 3)", "True"), "\x01\x04\x02\x05\x03\x06");
  EXPECT_THAT(npy_as_doubles(parse_npy(bytes_of(file), "a"), "a"), ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(Npy, ReadsVersions2And3AndOtherSpellings) {
  const std::string header = "{\"shape\":(2L,),\"descr\":\"u1\",\"fortran_order\":False}";
  for (const char version : {'\2', '\3'}) {
    std::string file = "\x93NUMPY";
    file += {version, '\0', static_cast<char>(header.size()), '\0', '\0', '\0'};
    file += header + "\x08\x09";
    EXPECT_THAT(npy_as_doubles(parse_npy(bytes_of(file), "a"), "a"), ElementsAre(8, 9));
  }
}

TEST(Npy, ReadsEmptyArrays) {
  const auto file = file_with(header_of("<f8", "(0, 68, 2)"));
  const auto array = parse_npy(bytes_of(file), "a");
  EXPECT_EQ(array.num_elements(), 0);
  EXPECT_TRUE(npy_as_doubles(array, "a").empty());
}

TEST(Npy, ReadsHalfPrecision) {
  const std::vector<std::uint16_t> bits = {0x3C00, 0xC000, 0x5640, 0x7BFF, 0x0001,
                                           0x0400, 0x8000, 0x7C00, 0xFC00, 0x7E01};
  const std::vector<std::int64_t> shape = {10};
  const auto file = npy_bytes("<f2", shape, std::as_bytes(std::span(bits)));
  const auto values = npy_as_doubles(parse_npy(bytes_of(file), "a"), "a");
  const auto infinity = std::numeric_limits<double>::infinity();
  EXPECT_THAT(std::vector(values.begin(), values.end() - 1),
              testing::ElementsAre(1, -2, 100, 65504, std::ldexp(1, -24), std::ldexp(1, -14), -0.0,
                                   infinity, -infinity));
  EXPECT_TRUE(std::isnan(values.back()));
}

TEST(Npy, GivesAnyElementsOfEitherOrder) {
  const std::vector<std::int16_t> values = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  const auto data = std::as_bytes(std::span(values));
  for (const bool fortran_order : {false, true}) {
    const NpyView array{
        .descr = "<i2", .fortran_order = fortran_order, .shape = {2, 3, 2}, .data = data};
    const auto all = npy_as_doubles(array, "a");
    EXPECT_EQ(all[5], fortran_order ? 10 : 5);
    const NpyNumbers numbers(array, "a");
    for (std::int64_t first = 0; first < 12; ++first) {
      std::vector<double> some(static_cast<std::size_t>(12 - first));
      numbers.read(first, some);
      EXPECT_EQ(some, std::vector(all.begin() + first, all.end())) << first;
    }
  }
}

TEST(Npy, RefusesEveryTruncation) {
  const auto file = file_with(header_of("<f4", "(2, 2)"), std::string(16, '\0'));
  EXPECT_EQ(message_of(file), "accepted");
  for (std::size_t length = 0; length < file.size(); ++length) {
    EXPECT_NE(message_of(file.substr(0, length)), "accepted") << length;
  }
  EXPECT_THAT(message_of(file + '\0'),
              HasSubstr("17 bytes of numbers, but its shape and type ask for 16"));
}

TEST(Npy, RefusesShapesThatOverflow) {
  for (const auto* shape :
       {"(4611686018427387904, 4)", "(4294967296, 4294967296)", "(3037000500, 3037000500, 9)",
        "(9223372036854775807,)", "(4611686018427387904, 4, 0)", "(0, 4611686018427387904, 4)"}) {
    EXPECT_THAT(message_of(file_with(header_of("<f8", shape))), HasSubstr("out of range")) << shape;
  }
  EXPECT_THAT(message_of(file_with(header_of("<f8", "(9223372036854775808,)"))),
              HasSubstr("out of range"));
  EXPECT_THAT(message_of(file_with(header_of("<f8", "(1000000000000,)"))),
              HasSubstr("8000000000000"));
}

TEST(Npy, RefusesWhatIsNoPlainArray) {
  EXPECT_THAT(message_of(file_with(header_of("|O", "(1,)"), "x")), HasSubstr("never executed"));
  EXPECT_THAT(
      message_of(file_with("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': ()}")),
      HasSubstr("records"));
  for (const auto* descr : {"<U4", "|S3", "<f3", "", "f", "<m8", "<f99999999999", "b8"}) {
    EXPECT_THAT(message_of(file_with(header_of(descr, "(1,)"), "x")), HasSubstr("plain numbers"))
        << descr;
  }
  EXPECT_THAT(message_of(file_with(header_of("<c8", "()"), std::string(8, '\0'))),
              HasSubstr("not bool, an integer or a float"));
}

TEST(Npy, RefusesDamagedHeaders) {
  for (const auto* header :
       {"", "{", "{}", "{'descr': '<f4'}", "[1]", "{'descr' '<f4'}", "{'descr': <f4}",
        "{'descr': '<f4}", "{'descr': '|u1', 'fortran_order': false, 'shape': ()}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1.0,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': 1}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1,} }",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1 1)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (), 'extra': 1}",
        "{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': ()}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': ()} x"}) {
    EXPECT_NE(message_of(file_with(header, "x")), "accepted") << header;
  }
  std::string dimensions;
  for (int i = 0; i < 33; ++i) dimensions += "1,";
  EXPECT_THAT(message_of(file_with(header_of("|u1", "(" + dimensions + ")"), "x")),
              HasSubstr("dimensions"));
}

TEST(Npy, RefusesOtherVersionsAndHugeHeaders) {
  auto file = file_with(header_of("|u1", "()"), "x");
  file[6] = '\4';
  EXPECT_THAT(message_of(file), HasSubstr("format version 4.0"));
  EXPECT_THAT(message_of(std::string("\x93NUMPY\x02\x00\xFF\xFF\xFF\xFF", 12)),
              HasSubstr("4294967295"));
  EXPECT_THAT(message_of("PK\x03\x04 an .npz file"), HasSubstr("NumPy's mark"));
}

}  // namespace
}  // namespace raven::corpus
