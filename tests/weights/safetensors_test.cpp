#include "raven/weights/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/sha256.h"
#include "raven/weights/inspection.h"
#include "raven/weights/verify.h"
#include "raven/weights/weights_file.h"
#include "support/temporary_folder.h"
#include "weights/safetensors_header.h"

namespace raven::weights {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string file_bytes(const std::string& json, const std::string& data = "") {
  const std::uint64_t length = json.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + json + data;
}

/// The words with which a file is refused; fails the test when it is read.
std::string refusal(const std::string& bytes) {
  try {
    parse_safetensors(bytes, "model.safetensors");
  } catch (const CheckpointError& error) {
    return error.what();
  }
  ADD_FAILURE() << "was read: " << bytes;
  return "";
}

std::string one_tensor(const std::string& dtype, const std::string& shape,
                       const std::string& offsets) {
  return R"({"x":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}}";
}

TEST(Safetensors, AreKnownWhateverTheirLengthBeginsWith) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "m.safetensors";
  TensorFile content;
  content.tensors.emplace_back("x", torch::arange(6));
  const auto begin_with = [&](const std::string& wanted) {
    for (std::size_t fill = 0; fill < 20'000; fill += 8) {
      content.metadata = {{"fill", std::string(fill, 'a')}};
      write_safetensors(file, content, {.hashes = true});
      if (read_file(file).starts_with(wanted)) return true;
      if (fill == 8 && wanted.size() > 1) fill = 18'400;  // up to some 19,280 bytes of header
    }
    return false;
  };
  for (const std::string wanted : {"\x80", "PK"}) {  // as a pickle and a zip begin
    ASSERT_TRUE(begin_with(wanted)) << wanted;
    const auto opened = open_weights(file);
    EXPECT_EQ(opened.format, WeightsFormat::kSafetensors);
    EXPECT_TRUE(torch::equal(opened.content.tensors.at(0).second, torch::arange(6)));
    EXPECT_EQ(sha256_and_verify(file), sha256(read_file(file)));
    EXPECT_NO_THROW(verify(file, opened.content));
  }
}

TEST(Safetensors, ReadsBackEveryTypeAndTheMetadata) {
  const TemporaryFolder folder;
  TensorFile content;
  content.metadata = {{"config", "a: 1\n\"b\""}, {"empty", ""}};
  for (const auto type :
       {torch::kBool, torch::kUInt8, torch::kInt8, torch::kInt16, torch::kInt32, torch::kInt64,
        torch::kFloat16, torch::kBFloat16, torch::kFloat32, torch::kFloat64}) {
    content.tensors.emplace_back(fmt::format("{}", c10::toString(type)),
                                 torch::arange(6).reshape({2, 3}).to(type).t());  // not contiguous
  }
  content.tensors.emplace_back("scalar", torch::tensor(std::int64_t{7}));
  content.tensors.emplace_back("nothing", torch::empty({0, 4}));
  write_safetensors(folder.path() / "m.safetensors", content);
  const auto read = read_safetensors(folder.path() / "m.safetensors");
  EXPECT_EQ(read.metadata, content.metadata);
  EXPECT_EQ(read_safetensors_metadata(folder.path() / "m.safetensors"), content.metadata);
  ASSERT_EQ(read.tensors.size(), content.tensors.size());
  for (std::size_t i = 0; i < read.tensors.size(); ++i) {
    EXPECT_EQ(read.tensors[i].first, content.tensors[i].first);  // the given order
    EXPECT_EQ(read.tensors[i].second.dtype(), content.tensors[i].second.dtype());
    EXPECT_TRUE(torch::equal(read.tensors[i].second, content.tensors[i].second))
        << read.tensors[i].first;
  }
}

TEST(Safetensors, ReadsAFileWrittenByHand) {
  const auto content =
      parse_safetensors(file_bytes(R"({"b":{"dtype":"I16","shape":[2],"data_offsets":[1,5]},)"
                                   R"("a":{"data_offsets":[0,1],"shape":[],"dtype":"BOOL"}}  )",
                                   std::string("\x01\x02\x00\xff\xff", 5)),
                        "hand");
  EXPECT_EQ(content.tensors[0].first, "b");
  EXPECT_TRUE(torch::equal(content.at("b"), torch::tensor({2, -1}, torch::kInt16)));
  EXPECT_TRUE(content.at("a").item<bool>());
}

TEST(Safetensors, AlignsEveryTensorToItsElement) {
  const TemporaryFolder folder;
  TensorFile content;
  content.tensors = {{"flag", torch::ones({3}, torch::kBool)},
                     {"wide", torch::ones({2}, torch::kFloat64)}};
  write_safetensors(folder.path() / "m.safetensors", content);
  const auto bytes = read_file(folder.path() / "m.safetensors");
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  EXPECT_EQ(header % 8, 0U);
  EXPECT_THAT(bytes, HasSubstr(R"("wide":{"dtype":"F64","shape":[2],"data_offsets":[0,16]})"));
}

TEST(Safetensors, NamesTheTensorThatIsNotThere) {
  TensorFile content;
  content.tensors = {{"a", torch::ones({1})}};
  try {
    (void)content.at("encoder.after_norm.weight");
    FAIL() << "found a tensor that is not there";
  } catch (const CheckpointError& error) {
    EXPECT_THAT(error.what(), HasSubstr("'encoder.after_norm.weight'"));
  }
}

TEST(Safetensors, RefusesLengthsThatTheFileDoesNotHave) {
  EXPECT_THAT(refusal("abc"), HasSubstr("too few"));
  EXPECT_THAT(refusal(std::string(8, '\xff')), HasSubstr("cut short"));
  auto bytes = file_bytes("{}");
  bytes[0] = 3;
  EXPECT_THAT(refusal(bytes), HasSubstr("cut short"));
}

TEST(Safetensors, RefusesOffsetsThatDoNotTileTheData) {
  const std::string four(4, '\0');
  EXPECT_THAT(
      refusal(file_bytes(one_tensor("F32", "[2]", "[0,8]"), four)),
      AllOf(HasSubstr("model.safetensors: tensor 'x'"), HasSubstr("outside the file's 4 bytes")));
  EXPECT_THAT(refusal(file_bytes(one_tensor("U8", "[3]", "[1,4]"), four)), HasSubstr("no gaps"));
  EXPECT_THAT(refusal(file_bytes(one_tensor("U8", "[3]", "[0,3]"), four)),
              HasSubstr("1 bytes follow"));
  EXPECT_THAT(refusal(file_bytes(one_tensor("U8", "[0]", "[2,1]"), four)), HasSubstr("outside"));
  EXPECT_THAT(refusal(file_bytes(R"({"x":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},)"
                                 R"("y":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
                                 four)),
              AllOf(HasSubstr("tensor 'y'"), HasSubstr("not overlap")));
}

TEST(Safetensors, RefusesShapesThatDoNotFitTheirBytes) {
  EXPECT_THAT(refusal(file_bytes(one_tensor("F32", "[1,3]", "[0,4]"), "1234")),
              HasSubstr("takes 12 bytes, the file gives 4"));
  for (const auto* shape : {"[4611686018427387904,4]", "[9223372036854775807]",
                            "[9223372036854775807,3,0]", "[18446744073709551615]"}) {
    EXPECT_THAT(refusal(file_bytes(one_tensor("F64", shape, "[0,0]"))), HasSubstr("too large"));
  }
  std::string many = "1";
  for (int i = 0; i < 100; ++i) many += ",1";
  EXPECT_THAT(refusal(file_bytes(one_tensor("U8", "[" + many + "]", "[0,1]"), "1")),
              HasSubstr("too many dimensions"));
}

TEST(Safetensors, RefusesHeadersOfAnotherForm) {
  EXPECT_THAT(refusal(file_bytes("")), HasSubstr("not a JSON object"));
  EXPECT_THAT(refusal(file_bytes("[]")), HasSubstr("not a JSON object"));
  EXPECT_THAT(refusal(file_bytes("{\"x\":")), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal(file_bytes("{} x")), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal(file_bytes("{\"\xff\":{}}")), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal(file_bytes(R"({"x":1})")), HasSubstr("a number"));
  EXPECT_THAT(refusal(file_bytes(R"({"x":{}})")),
              HasSubstr("expected dtype, shape and data_offsets"));
  EXPECT_THAT(refusal(file_bytes(one_tensor("F31", "[]", "[0,0]"))), HasSubstr("type 'F31'"));
  EXPECT_THAT(refusal(file_bytes(one_tensor("U8", "[-1]", "[0,0]"))), HasSubstr("negative"));
  EXPECT_THAT(refusal(file_bytes(one_tensor("U8", "[1.5]", "[0,0]"))), HasSubstr("fraction"));
  EXPECT_THAT(refusal(file_bytes(one_tensor("U8", "{}", "[0,0]"))), HasSubstr("an object"));
  EXPECT_THAT(refusal(file_bytes(one_tensor("U8", "[[1]]", "[0,0]"))), HasSubstr("a list"));
  EXPECT_THAT(refusal(file_bytes(one_tensor("U8", "[]", "[0,0,0]"))),
              HasSubstr("two data_offsets"));
  EXPECT_THAT(refusal(file_bytes(R"({"x":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"z":1}})")),
              HasSubstr("unknown field 'z'"));
  EXPECT_THAT(refusal(file_bytes(R"({"__metadata__":{"a":1}})")),
              HasSubstr("metadata 'a' is a number"));
  const auto twice = R"("x":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  EXPECT_THAT(refusal(file_bytes(fmt::format("{{{},{}}}", twice, twice))),
              HasSubstr("listed twice"));
  EXPECT_THAT(refusal(file_bytes("{\"x\":" + std::string(1000000, '['))), HasSubstr("a list"));
}

TEST(Safetensors, MetadataMayBeNull) {
  const auto tensor = R"("x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  for (const auto& header : {fmt::format(R"({{"__metadata__":null,{}}})", tensor),
                             fmt::format(R"({{{},"__metadata__":null}})", tensor)}) {
    const auto read = parse_safetensors(file_bytes(header, "\7"), "null");
    EXPECT_TRUE(read.metadata.empty());
    EXPECT_EQ(read.at("x").item<int>(), 7);
  }
  EXPECT_THAT(refusal(file_bytes(R"({"__metadata__":null,"__metadata__":null})")),
              HasSubstr("listed twice"));
}

TEST(Safetensors, MetadataThatIsNoUtf8StaysDifferent) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "a.safetensors";
  write_safetensors(file, {.tensors = {{"x", torch::ones({1})}},
                           .metadata = {{"source", "caf\xE9.pth"}, {"units", "caf\xC3\xA9 100%"}}});
  EXPECT_EQ(read_safetensors(file).metadata,
            (std::map<std::string, std::string>{{"source", "caf%E9.pth"},
                                                {"units", "caf\xC3\xA9 100%"}}));
}

TEST(Safetensors, RefusesEveryCutOfAWholeFile) {
  const auto whole = file_bytes(one_tensor("F32", "[2]", "[0,8]"), "12345678");
  EXPECT_NO_THROW(parse_safetensors(whole, "whole"));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THROW(parse_safetensors(whole.substr(0, size), "cut"), CheckpointError) << size;
  }
}

TEST(Safetensors, SaysWhichFileIsMissingOrIsNoFile) {
  const TemporaryFolder folder;
  EXPECT_THROW(read_safetensors(folder.path() / "absent.safetensors"), CheckpointError);
  EXPECT_THROW(read_safetensors(folder.path()), CheckpointError);
  EXPECT_THROW(write_safetensors(folder.path() / "no" / "folder", {}), SystemError);
}

TEST(Safetensors, KeepsTheOldFileWhenWritingFails) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "m.safetensors";
  TensorFile content;
  content.tensors = {{"a", torch::ones({1})}};
  write_safetensors(file, content);
  content.tensors = {{"a", torch::zeros({1})}, {"a", torch::zeros({1})}};  // one name twice
  EXPECT_THROW(write_safetensors(file, content), InternalError);
  EXPECT_TRUE(torch::equal(read_safetensors(file).at("a"), torch::ones({1})));
  EXPECT_FALSE(std::filesystem::exists(file.string() + ".tmp"));
}

/// A small file with every hash, as its bytes.
std::string hashed_file() {
  const TemporaryFolder folder;
  const auto file = folder.path() / "m.safetensors";
  write_safetensors(
      file,
      {.tensors = {{"encoder.weight", torch::arange(6).reshape({2, 3}).to(torch::kF32)},
                   {"tracked", torch::tensor(std::int64_t{7})}},
       .metadata = {{"units", "<unk> 1\nEIGHT 2\nNINE 3\n"}, {"no text", "\xFF"}}},
      {.hashes = true});
  return read_file(file);
}

std::uint64_t data_start(const std::string& bytes) {
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  return 8 + header;
}

TEST(Safetensors, EveryBitOfAHashedHeaderIsRefusedOrHarmless) {
  auto bytes = hashed_file();
  const auto whole = parse_safetensors(bytes, "m");
  EXPECT_NO_THROW(verify("m", whole));
  int read = 0;
  for (std::uint64_t at = 0; at < data_start(bytes); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      bytes[at] = static_cast<char>(bytes[at] ^ 1 << bit);
      try {
        const auto damaged = parse_safetensors(bytes, "m");
        verify("m", damaged);
        ++read;  // the hash's own name: what it is of is whole
        for (const auto& [key, value] : whole.metadata) {
          if (key != kMetadataHash) EXPECT_EQ(damaged.said(key), value);
        }
        for (const auto& [name, tensor] : whole.tensors)
          EXPECT_TRUE(torch::equal(damaged.at(name), tensor));
      } catch (const CheckpointError&) {
      }
      bytes[at] = static_cast<char>(bytes[at] ^ 1 << bit);
    }
  }
  EXPECT_LT(read, 8 * 15);
}

TEST(Safetensors, EveryBitOfAHashedTensorCounts) {
  auto bytes = hashed_file();
  for (auto at = data_start(bytes); at < bytes.size(); ++at) {
    bytes[at] = static_cast<char>(bytes[at] ^ 4);
    EXPECT_THROW(verify("m", parse_safetensors(bytes, "m")), CheckpointError) << at;
    bytes[at] = static_cast<char>(bytes[at] ^ 4);
  }
}

TEST(Safetensors, HashedMetadataMayBeWrittenInAnotherOrderByOthers) {
  const auto hash = header_sha256(
      {.places = {{.name = "x", .type = c10::ScalarType::Byte, .shape = {2}, .begin = 0, .end = 2}},
       .metadata = {{"a", "1"}, {"b", "2"}}});
  const auto content =
      parse_safetensors(file_bytes(R"({ "x": {"data_offsets":[0,2], "shape":[2], "dtype":"U8"},
                    "__metadata__": {"b":"\u0032", "metadata_sha256":")" +
                                       hash + R"(", "a":"1"}})",
                                   "ab"),
                        "m");
  EXPECT_EQ(content.said("b"), "2");
}

/// A file of x and y whose metadata list these hashes.
TensorFile listing(const std::string& hashes) {
  auto quoted = hashes;
  for (std::size_t at = 0; (at = quoted.find('"', at)) != quoted.npos; at += 2)
    quoted.insert(at, "\\");
  return parse_safetensors(
      file_bytes(R"({"__metadata__":{"tensor_sha256":")" + quoted +
                     R"("},"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                     R"("y":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
                 "ab"),
      "old.safetensors");
}

std::string verdict_on(const std::string& hashes) {
  try {
    verify("old.safetensors", listing(hashes));
  } catch (const CheckpointError& error) {
    return error.what();
  }
  return "";
}

TEST(Safetensors, OnceOneTensorHasAHashEachMustHaveOne) {
  const auto hash = [](char byte) {
    return "\"" + tensor_sha256(torch::tensor({byte}, torch::kUInt8)) + "\"";
  };
  const auto x = "\"x\":" + hash('a'), y = "\"y\":" + hash('b');
  EXPECT_EQ(verdict_on("{" + x + "," + y + "}"), "") << "an older file, without a hash of metadata";
  EXPECT_THAT(verdict_on("{" + x + "}"),
              AllOf(HasSubstr("old.safetensors: tensor 'y'"), HasSubstr("no SHA-256 for it")));
  EXPECT_THAT(verdict_on("{" + x + "," + y + ",\"z\":" + hash('c') + "}"),
              HasSubstr("tensor 'z' is missing"));
  EXPECT_THAT(verdict_on("{" + x + ",\"y\":" + hash('c') + "}"), HasSubstr("'y' is damaged"));
  for (const std::string other : {"[]", "{\"x\":1}", "{", "{\"x\":{\"y\":{}}}"})
    EXPECT_THAT(verdict_on(other), HasSubstr("metadata 'tensor_sha256' is damaged")) << other;
}

TEST(MappedFile, HashesWhatWasOpened) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "m";
  const std::string content(700'000, 'x');
  write_file_atomically(file, content);
  const MappedFile opened(file);
  write_file_atomically(file, "another");
  EXPECT_EQ(opened.checksum(), checksum(content));
  EXPECT_EQ(sha256_and_verify(opened), sha256(content));
}

}  // namespace
}  // namespace raven::weights
