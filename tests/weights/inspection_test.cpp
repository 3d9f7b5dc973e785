#include "raven/weights/inspection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>

#include "raven/core/error.h"
#include "raven/core/sha256.h"
#include "support/archive_bytes.h"
#include "support/temporary_folder.h"

namespace raven::weights {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(Inspection, TellsOfEachTensorWhatItHolds) {
  const TemporaryFolder folder;
  TensorFile content;
  content.metadata = {{"format", "x"}};
  const auto odd =
      torch::tensor({3.F, -4.F, std::nanf(""), std::numeric_limits<float>::infinity()});
  content.tensors = {{"a.odd", odd},
                     {"b.turned", torch::arange(6, torch::kInt64).view({2, 3}).t()},
                     {"a.flags", torch::tensor({true, false})},
                     {"a.none", torch::empty({0, 2})}};
  write_safetensors(folder.path() / "m.safetensors", content);
  const auto found = inspect(folder.path() / "m.safetensors");
  EXPECT_EQ(found.format, "safetensors");
  EXPECT_EQ(found.sha256, sha256_file(folder.path() / "m.safetensors"));
  EXPECT_THAT(found.metadata, ElementsAre(Pair("format", "x")));
  ASSERT_EQ(found.tensors.size(), 4U);
  EXPECT_EQ(found.tensors[0].type, "float32");
  EXPECT_EQ(found.tensors[0].norm, 5);
  EXPECT_EQ(found.tensors[0].least, -4);
  EXPECT_EQ(found.tensors[0].greatest, 3);
  EXPECT_EQ(found.tensors[0].not_finite, 2);
  EXPECT_THAT(found.tensors[1].shape, ElementsAre(3, 2));
  EXPECT_EQ(found.tensors[1].sha256, tensor_sha256(content.tensors[1].second));
  EXPECT_EQ(found.tensors[2].norm, 1);
  EXPECT_EQ(found.tensors[3].greatest, 0);
  EXPECT_EQ(inspect(folder.path() / "m.safetensors", {.only = "a."}).tensors.size(), 3U);
}

TEST(Inspection, HashesElementsInRowMajorOrder) {
  const auto numbers = torch::tensor({{1, 2}, {3, 4}}, torch::kUInt8);
  EXPECT_EQ(tensor_sha256(numbers), sha256("\x01\x02\x03\x04"));
  EXPECT_EQ(tensor_sha256(numbers.t()), sha256("\x01\x03\x02\x04"));
}

TEST(Inspection, ReadsArchivesWithTheirOtherValues) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "nested.pth";
  std::ofstream(file, std::ios::binary) << archive_bytes::archive(archive_bytes::Pickle()
                                                                      .dict()
                                                                      .mark()
                                                                      .text("model")
                                                                      .dict()
                                                                      .text("w")
                                                                      .tensor("0", 12, 0, {12}, {1})
                                                                      .op('s')
                                                                      .text("epoch")
                                                                      .number(3)
                                                                      .text("empty")
                                                                      .list()
                                                                      .op('u')
                                                                      .stop());
  const auto found = inspect(file, {.numbers = false});
  EXPECT_EQ(found.format, "PyTorch archive (zip)");
  ASSERT_EQ(found.tensors.size(), 1U);
  EXPECT_EQ(found.tensors[0].name, "model.w");
  EXPECT_EQ(found.tensors[0].sha256, "");
  EXPECT_THAT(found.metadata, ElementsAre(Pair("epoch", "3"), Pair("empty", "[]")));
}

TEST(Inspection, RefusesNamesThatBecomeOne) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "nested.pth";
  std::ofstream(file, std::ios::binary) << archive_bytes::archive(archive_bytes::Pickle()
                                                                      .dict()
                                                                      .mark()
                                                                      .text("a")
                                                                      .dict()
                                                                      .text("b")
                                                                      .tensor("0", 12, 0, {1}, {1})
                                                                      .op('s')
                                                                      .text("a.b")
                                                                      .tensor("0", 12, 0, {1}, {1})
                                                                      .op('u')
                                                                      .stop());
  EXPECT_THROW(inspect(file), CheckpointError);
}

TEST(Comparison, FindsWhatDiffers) {
  const TemporaryFolder folder;
  const auto a = folder.path() / "a.safetensors", b = folder.path() / "b.safetensors";
  TensorFile content;
  const auto nan = torch::full({2}, std::nan(""));
  content.tensors = {{"same", torch::ones({3})},  {"nan", nan},  {"shape", torch::ones({2})},
                     {"other", torch::ones({4})}, {"gone", nan}, {"lost", torch::ones({2})}};
  write_safetensors(a, content);
  content.tensors[2].second = torch::ones({2, 1});
  content.tensors[3].second = torch::tensor({1.F, 1.5F, 0.F, 1.F});
  content.tensors[4].first = "new";
  content.tensors[5].second = nan;
  write_safetensors(b, content);
  const auto found = compare(a, b);
  ASSERT_EQ(found.size(), 7U);
  EXPECT_TRUE(found[0].equal);
  EXPECT_TRUE(found[1].equal);  // the same bits
  EXPECT_EQ(found[2].first + " | " + found[2].second, "float32 [2] | float32 [2, 1]");
  EXPECT_EQ(found[3].different, 2);
  EXPECT_EQ(found[3].greatest_difference, 1);
  EXPECT_EQ(found[4].name + found[4].second, "gone");
  EXPECT_EQ(found[5].different, 2);
  EXPECT_TRUE(std::isnan(found[5].greatest_difference));
  EXPECT_EQ(found[6].name + found[6].first, "new");
  for (const auto& one : compare(a, a)) EXPECT_TRUE(one.equal) << one.name;
}

}  // namespace
}  // namespace raven::weights
