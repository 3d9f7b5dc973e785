// Files of weights between raven and Python's torch, safetensors and numpy: no bit changes on the
// way. RAVEN_PYTHON names a Python that has them (scripts/test.sh makes one).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "raven/weights/inspection.h"
#include "raven/weights/npz_writer.h"
#include "raven/weights/pytorch_writer.h"
#include "support/odd_tensors.h"
#include "support/shell.h"
#include "support/temporary_folder.h"

namespace raven {
namespace {

using nlohmann::json;
using weights::TensorFile;

class PythonWeights : public testing::Test {
 protected:
  [[nodiscard]] std::string file(const std::string& name) const {
    return (folder_.path() / name).string();
  }

  /// What tests/e2e/python_weights.py tells of the tensors.
  static json python(const std::string& arguments) {
    const char* given = std::getenv("RAVEN_PYTHON");
    const auto result =
        shell(std::string(given != nullptr ? given : "python3") +
              " -W ignore " RAVEN_SOURCE_DIR "/tests/e2e/python_weights.py " + arguments);
    EXPECT_EQ(result.code, 0) << "scripts/test.sh makes a Python with torch, safetensors and "
                                 "numpy; RAVEN_PYTHON names it";
    return json::parse(result.output, nullptr, /*allow_exceptions=*/false);
  }

  static void expect_same(const TensorFile& actual, const TensorFile& expected) {
    ASSERT_EQ(actual.tensors.size(), expected.tensors.size());
    for (const auto& [name, tensor] : expected.tensors) {
      const auto& found = actual.at(name);
      EXPECT_EQ(found.scalar_type(), tensor.scalar_type()) << name;
      EXPECT_EQ(found.sizes(), tensor.sizes()) << name;
      EXPECT_EQ(weights::tensor_sha256(found), weights::tensor_sha256(tensor)) << name;
    }
  }

  static void expect_seen(const json& seen, const TensorFile& expected) {
    ASSERT_EQ(seen.size(), expected.tensors.size());
    for (const auto& [name, tensor] : expected.tensors) {
      const auto& one = seen.at(name);
      EXPECT_EQ(one.at("shape").get<std::vector<std::int64_t>>(), tensor.sizes().vec()) << name;
      EXPECT_EQ(one.at("sha256"), weights::tensor_sha256(tensor)) << name;
      if (!one.contains("dtype")) continue;  // NumPy's arrays
      EXPECT_EQ(one.at("dtype"), weights::type_name(tensor.scalar_type())) << name;
    }
  }

 private:
  TemporaryFolder folder_;
};

TEST_F(PythonWeights, TorchReadsAndWritesOurArchivesBitForBit) {
  const auto content = odd_tensors();
  weights::write_pytorch_archive(file("ours.pth"), content);
  expect_seen(python("torch " + file("ours.pth") + " " + file("theirs.pth")), content);
  auto theirs = weights::open_weights(file("theirs.pth"));
  EXPECT_EQ(theirs.format, weights::WeightsFormat::kPytorchZip);
  expect_same(theirs.content, content);
  weights::write_pytorch_archive(file("again.pth"), theirs.content);
  expect_seen(python("torch " + file("again.pth") + " " + file("legacy.pth") + " --legacy"),
              content);
  theirs = weights::open_weights(file("legacy.pth"));
  EXPECT_EQ(theirs.format, weights::WeightsFormat::kPytorchLegacy);
  expect_same(theirs.content, content);
}

TEST_F(PythonWeights, TorchKeepsOurSharedStoragesShared) {
  weights::write_pytorch_archive(file("ours.pth"), odd_tensors());
  python("torch " + file("ours.pth") + " " + file("theirs.pth"));
  const auto theirs = weights::open_weights(file("theirs.pth"));
  theirs.content.at("front").fill_(3);
  EXPECT_EQ(theirs.content.at("middle")[0].item<float>(), 3);
}

TEST_F(PythonWeights, SafetensorsReadsAndWritesOurFilesBitForBit) {
  auto content = odd_tensors();
  content.metadata = {{"units",
                       "<unk> 1\n\xE2\x96\x81"
                       "A 2\n"},
                      {"quote", "\"\\\t"}};
  weights::write_safetensors(file("ours.safetensors"), content, {.hashes = true});
  expect_seen(python("safetensors " + file("ours.safetensors") + " " + file("theirs.safetensors")),
              content);
  const auto theirs = weights::read_safetensors(file("theirs.safetensors"));
  expect_same(theirs, content);
  EXPECT_EQ(theirs.metadata, weights::read_safetensors_metadata(file("ours.safetensors")));
}

TEST_F(PythonWeights, NumpyReadsOurArrays) {
  auto content = odd_tensors();
  weights::write_npz(file("ours.npz"), content);
  for (auto& [name, tensor] : content.tensors) {
    if (tensor.scalar_type() == torch::kBFloat16) tensor = tensor.to(torch::kFloat32);
  }
  expect_seen(python("numpy " + file("ours.npz")), content);
}

}  // namespace
}  // namespace raven
