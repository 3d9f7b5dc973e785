// `raven inspect` as a user runs it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "raven/core/files.h"
#include "raven/weights/inspection.h"
#include "support/shell.h"
#include "support/temporary_folder.h"

namespace raven::cli {
namespace {

using testing::HasSubstr;

const std::string kArchives = RAVEN_SOURCE_DIR "/tests/parity/data/archives/";

ShellResult inspect(const std::string& arguments) {
  return shell(std::string(RAVEN_BINARY_DIR) + "/bin/raven inspect " + arguments);
}

void write(const std::filesystem::path& file, const torch::Tensor& w,
           const std::map<std::string, std::string>& metadata = {}) {
  weights::write_safetensors(file, {.tensors = {{"w", w}}, .metadata = metadata});
}

TEST(Inspect, ListsAnArchiveAsTextAndJson) {
  const auto text = inspect(kArchives + "nested.pth");
  EXPECT_EQ(text.code, 0);
  EXPECT_THAT(text.output, HasSubstr("state_dict.transposed"));
  EXPECT_THAT(text.output, HasSubstr("global_step = 1099511627776"));
  EXPECT_THAT(text.output, HasSubstr("18 tensors"));
  const auto json = nlohmann::json::parse(inspect(kArchives + "nested_legacy.pth --json").output);
  EXPECT_EQ(json.at("format"), "PyTorch archive (before 1.6)");
  EXPECT_EQ(json.at("tensors").at(0).at("dtype"), "float32");
  EXPECT_EQ(json.at("tensors").at(0).at("shape"), nlohmann::json({64, 150}));
  EXPECT_EQ(json.at("metadata").at("hyper_parameters.optimizer.5"), "five");
  EXPECT_EQ(json.at("sha256").get<std::string>().size(), 64U);
}

TEST(Inspect, RefusesAHostileFile) {
  const auto result = inspect(kArchives + "runs_a_command.pth 2>&1");
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.output, HasSubstr("posix.system"));
  EXPECT_FALSE(std::filesystem::exists("/tmp/raven_pwned"));
}

TEST(Inspect, ComparesTwoFiles) {
  const TemporaryFolder folder;
  const auto a = folder.path() / "a.safetensors", b = folder.path() / "b.safetensors";
  write(a, torch::ones({3}));
  write(b, torch::tensor({1.F, 3.F, 1.F}));
  const auto same = inspect(a.string() + " " + a.string());
  EXPECT_EQ(same.code, 0);
  EXPECT_EQ(same.output, "1 of 1 tensors are equal\n");
  const auto other = inspect(a.string() + " " + b.string());
  EXPECT_EQ(other.code, 1);
  EXPECT_THAT(other.output, HasSubstr("~ w  float32 [3]  1 elements, at most 2"));
  const auto json =
      nlohmann::json::parse(inspect(a.string() + " " + b.string() + " --json").output);
  EXPECT_EQ(json.at("different"), 1);
  EXPECT_EQ(json.at("tensors").at(0).at("greatest_difference"), 2);
}

TEST(Inspect, TakesACheckpointAndARun) {
  const TemporaryFolder folder;
  const auto checkpoint = folder.path() / "checkpoints" / "step_00000007";
  std::filesystem::create_directories(checkpoint);
  write(checkpoint / "model.safetensors", torch::ones({3}));
  write(checkpoint / "optimizer.safetensors", torch::zeros({2}));
  std::ofstream(checkpoint / "state.json") << R"({"step": 7})";
  std::filesystem::create_symlink("step_00000007", folder.path() / "checkpoints" / "last");
  for (const auto& path : {checkpoint, folder.path()}) {
    const auto json = nlohmann::json::parse(inspect(path.string() + " --json").output);
    EXPECT_EQ(json.at("state").at("step"), 7);
    EXPECT_EQ(json.at("files").size(), 2U);
  }
  const TemporaryFolder empty;
  EXPECT_EQ(inspect(empty.path().string() + " 2> /dev/null").code, 1);
}

TEST(Inspect, FindsTensorsThatTheirHashesDoNotFit) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "m.safetensors";
  weights::write_safetensors(file, {.tensors = {{"w", torch::ones({3})}}}, {.hashes = true});
  EXPECT_EQ(inspect(file.string()).code, 0);
  auto bytes = read_file(file);
  bytes.back() ^= 1;  // the numbers are the file's end
  write_file_atomically(file, bytes);
  const auto damaged = inspect(file.string() + " 2>&1");
  EXPECT_EQ(damaged.code, 1);
  EXPECT_THAT(damaged.output, HasSubstr("the first is 'w'"));
}

}  // namespace
}  // namespace raven::cli
