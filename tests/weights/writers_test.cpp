// Files of torch.save and NumPy that raven writes, read again; what Python makes of them is in
// tests/e2e/python_weights_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "raven/core/crc32.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/corpus/npy.h"
#include "raven/weights/inspection.h"
#include "raven/weights/npz_writer.h"
#include "raven/weights/pytorch_archive.h"
#include "raven/weights/pytorch_writer.h"
#include "support/odd_tensors.h"
#include "support/temporary_folder.h"
#include "weights/zip_directory.h"
#include "weights/zip_writer.h"

namespace raven::weights {
namespace {

using testing::HasSubstr;

class Writers : public testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path file(const std::string& name) const {
    return folder_.path() / name;
  }

 private:
  TemporaryFolder folder_;
};

TEST_F(Writers, ArchivesKeepEveryBitOfEveryType) {
  const auto content = odd_tensors();
  write_pytorch_archive(file("a.pth"), content);
  const auto tensors = tensors_in(read_pytorch_archive(file("a.pth")).root);
  ASSERT_EQ(tensors.size(), content.tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto& [name, expected] = content.tensors[i];
    EXPECT_EQ(tensors[i].first, name);
    EXPECT_EQ(tensors[i].second.scalar_type(), expected.scalar_type()) << name;
    EXPECT_EQ(tensors[i].second.sizes(), expected.sizes()) << name;
    EXPECT_EQ(tensor_sha256(tensors[i].second), tensor_sha256(expected)) << name;
  }
}

TEST_F(Writers, SharedStoragesAreWrittenOnceAndStayShared) {
  const auto whole = torch::arange(100000, torch::kFloat32);
  write_pytorch_archive(file("a.pth"), {.tensors = {{"a", whole.slice(0, 10, 1000)},
                                                    {"b", whole.slice(0, 500, 1010)},
                                                    {"alone", torch::ones({3})}}});
  EXPECT_LT(std::filesystem::file_size(file("a.pth")), 4 * 1000 + 2500);
  const auto tensors = tensors_in(read_pytorch_archive(file("a.pth")).root);
  EXPECT_TRUE(torch::equal(tensors[1].second, whole.slice(0, 500, 1010)));
  tensors[0].second.fill_(-1);
  EXPECT_EQ(tensors[1].second[0].item<float>(), -1);
  EXPECT_EQ(tensors[1].second[500].item<float>(), 1000);
}

TEST_F(Writers, ArchivesLieAlignedWithTheirChecksums) {
  write_pytorch_archive(file("a.pth"), odd_tensors());
  const auto bytes = read_file(file("a.pth"));
  const auto entries = read_zip_directory(bytes, "a.pth");
  EXPECT_GT(entries.size(), 40U);
  for (const auto& entry : entries) {
    EXPECT_EQ(entry.begin % ZipWriter::kAlignment, 0U) << entry.name;
    EXPECT_EQ(crc32(std::string_view(bytes).substr(entry.begin, entry.size)), entry.crc)
        << entry.name;
  }
}

TEST_F(Writers, TheSameTensorsGiveTheSameBytes) {
  write_pytorch_archive(file("a.pth"), odd_tensors());
  write_pytorch_archive(file("b.pth"), odd_tensors());
  EXPECT_EQ(read_file(file("a.pth")), read_file(file("b.pth")));
}

TEST_F(Writers, RefuseTwoTensorsOfOneName) {
  const TensorFile twice{.tensors = {{"w", torch::ones({1})}, {"w", torch::ones({1})}}};
  EXPECT_THROW(write_pytorch_archive(file("a.pth"), twice), InternalError);
  EXPECT_THROW(write_npz(file("a.npz"), twice), InternalError);
  EXPECT_FALSE(std::filesystem::exists(file("a.npz")));
}

TEST_F(Writers, NpzHoldsEachTensorAsAnArray) {
  const auto content = odd_tensors();
  write_npz(file("a.npz"), content);
  const auto bytes = read_file(file("a.npz"));
  const auto entries = read_zip_directory(bytes, "a.npz");
  ASSERT_EQ(entries.size(), content.tensors.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const auto& [name, tensor] = content.tensors[i];
    EXPECT_EQ(entries[i].name, name + ".npy");
    const auto part = std::string_view(bytes).substr(entries[i].begin, entries[i].size);
    const auto array = corpus::parse_npy(std::as_bytes(std::span(part)), name);
    EXPECT_EQ(array.shape, tensor.sizes().vec()) << name;
    const auto expected =
        (tensor.scalar_type() == torch::kBFloat16 ? tensor.to(torch::kFloat32) : tensor)
            .contiguous();
    EXPECT_EQ(array.data.size(), expected.nbytes()) << name;
    if (expected.nbytes() == 0) continue;
    EXPECT_EQ(std::memcmp(array.data.data(), expected.const_data_ptr(), array.data.size()), 0)
        << name;
  }
}

TEST_F(Writers, AZipOfManyEntriesHasTheWideEnd) {
  {
    NewFile out(file("a.zip"));
    ZipWriter zip(out);
    for (int i = 0; i < 70000; ++i) zip.add(std::to_string(i), "");
    zip.finish();
    out.commit();
  }
  const auto bytes = read_file(file("a.zip"));
  const auto entries = read_zip_directory(bytes, "a.zip");
  ASSERT_EQ(entries.size(), 70000U);
  EXPECT_EQ(entries.back().name, "69999");
}

TEST_F(Writers, AnEntryHasExactlyItsSize) {
  NewFile out(file("a.zip"));
  ZipWriter zip(out);
  zip.begin("a", 3);
  EXPECT_THROW(zip.write("four"), InternalError);
  EXPECT_THROW(zip.end(), InternalError);
  zip.write("abc");
  zip.end();
}

TEST_F(Writers, AnArrayAloneIsAFileOfNumPy) {
  const auto numbers = torch::arange(6, torch::kFloat32).view({2, 3}).t();  // not contiguous
  write_npy(file("a.npy"), numbers);
  write_npy(file("half.npy"), numbers.to(torch::kFloat16));
  write_npy(file("brain.npy"), numbers.to(torch::kBFloat16));
  for (const auto& [name, descr] : std::map<std::string, std::string>{
           {"a.npy", "<f4"}, {"half.npy", "<f2"}, {"brain.npy", "<f4"}}) {
    const auto bytes = read_file(file(name));
    const auto array = corpus::parse_npy(std::as_bytes(std::span(bytes)), name);
    EXPECT_EQ(array.descr, descr);
    EXPECT_FALSE(array.fortran_order);
    EXPECT_THAT(array.shape, testing::ElementsAre(3, 2));
    if (descr == "<f4")
      EXPECT_THAT(corpus::npy_as_doubles(array, name), testing::ElementsAre(0, 3, 1, 4, 2, 5));
  }
}

}  // namespace
}  // namespace raven::weights
