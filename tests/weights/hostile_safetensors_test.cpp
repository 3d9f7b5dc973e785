// safetensors files that break one rule of the format each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "raven/core/error.h"
#include "raven/weights/safetensors.h"
#include "support/archive_bytes.h"
#include "support/resident.h"
#include "support/sanitized.h"
#include "support/temporary_folder.h"

namespace raven::weights {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

struct Case {
  std::string name, bytes, reason;
};

std::string file_of(const std::string& json, const std::string& data = "") {
  return archive_bytes::little(static_cast<std::uint64_t>(json.size())) + json + data;
}

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

std::vector<Case> gallery() {
  const std::string four(4, '\0'), eight(8, '\0');
  std::vector<Case> cases;
  const auto add = [&](const std::string& name, const std::string& bytes,
                       const std::string& reason) {
    cases.push_back({name, bytes, reason});
  };
  const auto header = [&](const std::string& name, const std::string& json,
                          const std::string& reason,
                          const std::string& data = "") { add(name, file_of(json, data), reason); };
  const auto one = [&](const std::string& name, const std::string& dtype, const std::string& shape,
                       const std::string& offsets, const std::string& data,
                       const std::string& reason) {
    header(name, R"({"x":)" + entry(dtype, shape, offsets) + "}", reason, data);
  };
  add("empty file", "", "too few");
  add("seven bytes", "1234567", "too few");
  add("length without header", archive_bytes::little(std::uint64_t{2}), "cut short");
  add("length of 2^64 - 1", std::string(8, '\xff') + "{}", "cut short");
  add("length that wraps", archive_bytes::little(std::uint64_t(-8)) + "{}", "cut short");
  header("empty header", "", "not a JSON object");
  header("space first", " {}", "not a JSON object");
  header("list", "[]", "not a JSON object");
  header("byte-order mark", "\xef\xbb\xbf{}", "not a JSON object");
  header("cut JSON", R"({"x":)", "not valid JSON");
  header("text after the object", "{}{}", "not valid JSON");
  header("zero byte after the object", std::string("{}\0", 3), "not valid JSON");
  header("name that is not UTF-8", "{\"\xff\":{}}", "not valid JSON");
  header("comment", "{/* */}", "not valid JSON");
  header("comma at the end", R"({"__metadata__":{},})", "not valid JSON");
  header("nesting", R"({"x":)" + std::string(1000000, '['), "a list");
  header("objects in objects", R"({"x":{"dtype":{"a":{}}}})", "an object");
  header("tensor listed twice",
         R"({"x":)" + entry("U8", "[0]", "[0,0]") + R"(,"x":)" + entry("U8", "[0]", "[0,0]") + "}",
         "'x' is listed twice");
  header("tensor listed twice, spelled otherwise",
         R"({"x":)" + entry("U8", "[0]", "[0,0]") + R"(,"\u0078":)" + entry("U8", "[0]", "[0,0]") +
             "}",
         "'x' is listed twice");
  header("metadata twice", R"({"__metadata__":{},"__metadata__":{}})", "listed twice");
  header("metadata key twice", R"({"__metadata__":{"a":"","a":""}})", "listed twice");
  header("metadata that is text", R"({"__metadata__":"x"})", "text");
  header("metadata that is a list", R"({"__metadata__":[]})", "a list");
  header("metadata value that is a number", R"({"__metadata__":{"a":1}})", "'a' is a number");
  header("metadata value that is null", R"({"__metadata__":{"a":null}})", "'a' is null");
  header("metadata value that is an object", R"({"__metadata__":{"a":{}}})", "an object");
  header("entry that is a number", R"({"x":1})", "a number");
  header("entry that is null", R"({"x":null})", "null");
  header("empty entry", R"({"x":{}})", "expected dtype, shape and data_offsets");
  header("no dtype", R"({"x":{"shape":[0],"data_offsets":[0,0]}})", "expected dtype");
  header("no shape", R"({"x":{"dtype":"U8","data_offsets":[0,0]}})", "expected dtype");
  header("no offsets", R"({"x":{"dtype":"U8","shape":[0]}})", "expected dtype");
  header("unknown field", R"({"x":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"z":1}})",
         "unknown field 'z'");
  header("field twice", R"({"x":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
         "given twice");
  one("unknown type", "F31", "[]", "[0,0]", "", "type 'F31'");
  one("complex type", "C64", "[1]", "[0,8]", eight, "type 'C64'");
  one("8-bit float", "F8_E4M3", "[8]", "[0,8]", eight, "type 'F8_E4M3'");
  one("type in lower case", "f32", "[1]", "[0,4]", four, "type 'f32'");
  header("type that is a number", R"({"x":{"dtype":1,"shape":[0],"data_offsets":[0,0]}})",
         "a number");
  one("negative size", "U8", "[-1]", "[0,0]", "", "negative");
  one("fraction", "U8", "[1.0]", "[0,1]", "1", "fraction");
  one("exponent", "U8", "[1e0]", "[0,1]", "1", "fraction");
  one("size beyond 63 bits", "U8", "[18446744073709551615]", "[0,0]", "", "too large");
  one("size beyond 64 bits", "U8", "[184467440737095516160]", "[0,0]", "", "fraction");
  one("sizes that overflow", "F64", "[4611686018427387904,4]", "[0,0]", "", "too large");
  one("sizes that overflow beside a zero", "F64", "[9223372036854775807,3,0]", "[0,0]", "",
      "too large");
  one(
      "65 dimensions", "U8",
      "[1" +
          [] {
            std::string more;
            for (int i = 0; i < 64; ++i) more += ",1";
            return more;
          }() +
          "]",
      "[0,1]", "1", "too many dimensions");
  one("list in a shape", "U8", "[[1]]", "[0,1]", "1", "a list");
  one("one offset", "U8", "[1]", "[0]", "1", "two data_offsets");
  one("three offsets", "U8", "[1]", "[0,1,1]", "1", "two data_offsets");
  one("negative offset", "U8", "[1]", "[-1,0]", "1", "negative");
  one("end before begin", "U8", "[0]", "[1,0]", "1", "outside");
  one("beyond the data", "F32", "[2]", "[0,8]", four, "outside the file's 4 bytes");
  one("offsets of 2^64", "U8", "[0]", "[18446744073709551615,18446744073709551615]", "", "outside");
  one("fewer bytes than the shape", "F32", "[3]", "[0,8]", eight,
      "takes 12 bytes, the file gives 8");
  one("more bytes than the shape", "F32", "[1]", "[0,8]", eight, "takes 4 bytes, the file gives 8");
  one("empty tensor with bytes", "F32", "[0]", "[0,4]", four, "takes 0 bytes");
  one("hole at the start", "F32", "[1]", "[4,8]", eight, "no gaps");
  one("hole at the end", "F32", "[1]", "[0,4]", eight, "4 bytes follow");
  header("data without a tensor", "{}", "8 bytes follow", eight);
  header("overlap",
         R"({"x":)" + entry("U8", "[3]", "[0,3]") + R"(,"y":)" + entry("U8", "[2]", "[2,4]") + "}",
         "'y' begins at byte 2, expected 3: tensors must not overlap", four);
  header("the same bytes twice",
         R"({"x":)" + entry("U8", "[4]", "[0,4]") + R"(,"y":)" + entry("U8", "[4]", "[0,4]") + "}",
         "not overlap", four);
  header("hole between",
         R"({"x":)" + entry("U8", "[1]", "[0,1]") + R"(,"y":)" + entry("U8", "[2]", "[2,4]") + "}",
         "no gaps", four);
  one("bool that is 2", "BOOL", "[2]", "[0,2]", "\x01\x02", "BOOL holds 0x02");
  const std::string long_text((4 << 20) - 100, 'x');
  header("4 MB of metadata, then none", R"({"__metadata__":{"a":")" + long_text + "\"}",
         "not valid JSON");
  header("4 MB of blanks, then none", "{" + std::string(long_text.size(), ' '), "not valid JSON");
  header("a name that would write on the terminal",
         R"({"\u001b[2J":)" + entry("F31", "[]", "[0,0]") + "}", "%1B[2J");
  return cases;
}

TEST(HostileSafetensors, AreRefusedByNameWithinTimeAndMemory) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "case.safetensors";
  const auto cases = gallery();
  EXPECT_GE(cases.size(), 25U);
  std::set<std::string> names;
  for (const auto& [name, bytes, reason] : cases) {
    EXPECT_TRUE(names.insert(name).second) << name;
    std::ofstream(file, std::ios::binary) << bytes;
    using Read = TensorFile (*)(const std::filesystem::path&);
    for (const Read read : {Read{read_safetensors}, Read{map_safetensors}}) {
      const ResidentPeak peak;
      const double start = thread_seconds();
      std::string message;
      try {
        read(file);
      } catch (const CheckpointError& error) {
        message = error.what();
      }
      const double taken = thread_seconds() - start;
      EXPECT_THAT(message, StartsWith(file.string() + ": ")) << name;
      EXPECT_THAT(message, HasSubstr(reason)) << name;
      EXPECT_EQ(message.find('\x1b'), std::string::npos) << name;
      if (kSanitized) continue;
      EXPECT_LT(taken, 0.1) << name;
      EXPECT_LT(peak.growth(), 50 << 20) << name;
    }
    fs::remove(file);
  }
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(HostileSafetensors, HeadersBeyondTheFormatsLimitAreNotRead) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "long.safetensors";
  std::ofstream(file, std::ios::binary) << archive_bytes::little(std::uint64_t{100'000'001});
  fs::resize_file(file, 200'000'000);  // a hole
  const ResidentPeak peak;
  try {
    map_safetensors(file);
    FAIL() << "was read";
  } catch (const CheckpointError& error) {
    EXPECT_THAT(error.what(), HasSubstr("expected at most 100000000"));
  }
  if (!kSanitized) EXPECT_LT(peak.growth(), 1 << 20);
}

TEST(Safetensors, HeadersOfManyTensorsTakeMemoryInProportion) {
  std::string json = "{";
  for (int i = 0; i < 150'000; ++i) {
    json += fmt::format("\"{}\":{},", i, entry("U8", "[0]", "[0,0]"));
  }
  json.back() = '}';
  ASSERT_GT(json.size(), 8U << 20);
  const TemporaryFolder folder;
  const auto file = folder.path() / "many.safetensors";
  std::ofstream(file, std::ios::binary) << file_of(json);
  const ResidentPeak peak;
  EXPECT_TRUE(read_safetensors_metadata(file).empty());
  if (!kSanitized) EXPECT_LT(peak.growth(), 10 * std::ssize(json));
  EXPECT_EQ(map_safetensors(file).tensors.size(), 150'000U);
}

TEST(HostileSafetensors, CutAnywhereAreRefused) {
  const auto whole = file_of(R"({"x":)" + entry("F32", "[500]", "[0,2000]") + R"(,"y":)" +
                                 entry("BOOL", "[]", "[2000,2001]") + "}   ",
                             std::string(2000, 'x') + '\x01');
  EXPECT_NO_THROW(parse_safetensors(whole, "whole"));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THROW(parse_safetensors(whole.substr(0, size), "cut"), CheckpointError) << size;
  }
}

TEST(MappedSafetensors, AreReadWhenTheyAreUsed) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "large.safetensors";
  constexpr std::int64_t kBytes = std::int64_t{1} << 28;
  auto json = R"({"flag":)" + entry("BOOL", "[]", "[0,1]") + R"(,"large":)" +
              entry("U8", "[268435455]", "[1,268435456]") + "}";
  const auto start = file_of(json, "\x01");
  std::ofstream(file, std::ios::binary) << start;
  fs::resize_file(file, start.size() - 1 + kBytes);  // the rest is a hole
  const ResidentPeak peak;
  const auto content = map_safetensors(file);
  EXPECT_TRUE(content.at("flag").item<bool>());
  EXPECT_EQ(content.at("large")[1000].item<int>(), 0);
  if (!kSanitized) EXPECT_LT(peak.growth(), 16 << 20);
}

TEST(MappedSafetensors, HoldTheSameNumbersAndNeverReachTheFile) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "m.safetensors";
  TensorFile content;
  content.metadata = {{"a", "b"}};
  for (const auto type : {torch::kBool, torch::kUInt8, torch::kInt16, torch::kBFloat16,
                          torch::kFloat32, torch::kFloat64, torch::kUInt16}) {
    content.tensors.emplace_back(c10::toString(type), torch::arange(7).to(type));
  }
  content.tensors.emplace_back("empty", torch::empty({0, 3}));
  write_safetensors(file, content);
  const auto mapped = map_safetensors(file), read = read_safetensors(file);
  EXPECT_EQ(mapped.metadata, content.metadata);
  for (std::size_t i = 0; i < content.tensors.size(); ++i) {
    EXPECT_EQ(mapped.tensors[i].first, content.tensors[i].first);
    EXPECT_EQ(mapped.tensors[i].second.scalar_type(), content.tensors[i].second.scalar_type());
    EXPECT_TRUE(torch::equal(mapped.tensors[i].second, content.tensors[i].second)) << i;
  }
  mapped.at("Float").fill_(9);
  EXPECT_TRUE(torch::equal(map_safetensors(file).at("Float"), read.at("Float")));
  fs::remove(file);  // the mapping outlives the name
  EXPECT_EQ(mapped.at("Double")[6].item<double>(), 6);
}

TEST(MappedSafetensors, UnalignedTensorsAreCopied) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "m.safetensors";
  std::ofstream(file, std::ios::binary) << file_of(
      R"({"a":)" + entry("BOOL", "[]", "[0,1]") + R"(,"b":)" + entry("I16", "[2]", "[1,5]") + "}",
      std::string("\x01\x02\x00\xff\xff", 5));
  const auto content = map_safetensors(file);
  EXPECT_TRUE(torch::equal(content.at("b"), torch::tensor({2, -1}, torch::kInt16)));
}

}  // namespace
}  // namespace raven::weights
