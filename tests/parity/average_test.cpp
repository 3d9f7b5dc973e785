// Averaged checkpoints equal the published ones (transforms.json, `average`).
#include <gtest/gtest.h>

#include "raven/artifacts/average.h"
#include "support/formula.h"
#include "support/parity_tensors.h"
#include "support/temporary_folder.h"

namespace raven::train {
namespace {

constexpr double kMean = 1e-6;

TEST(AverageParity, IsThePublishedMean) {
  const auto golden = parity::json("transforms.json").at("average");
  const auto expected = parity::tensors("transforms.safetensors");
  const TemporaryFolder folder;
  std::vector<std::filesystem::path> files;
  for (int i = 0; i < golden.at("checkpoints").get<int>(); ++i) {
    auto salt = golden.at("salt").get<std::string>();
    salt.replace(salt.find("<i>"), 3, std::to_string(i));
    weights::TensorFile file;
    for (const auto& [name, shape] : golden.at("tensors").items())
      file.tensors.emplace_back(
          name, formula::weights(salt, name, shape.get<std::vector<std::int64_t>>()));
    for (const auto& [name, counts] : golden.at("counters").items())
      file.tensors.emplace_back(name, torch::tensor(counts.at(i).get<std::int64_t>()));
    files.push_back(folder.path() / std::to_string(i));
    weights::write_safetensors(files.back(), file);
  }
  const auto mean = artifacts::average(files).file;
  for (const auto& [name, shape] : golden.at("tensors").items()) {
    EXPECT_TRUE(torch::allclose(mean.at(name), expected.at("average." + name), 0, kMean)) << name;
  }
  for (const auto& [name, count] : golden.at("counters_mean").items())
    EXPECT_EQ(mean.at(name).item<std::int64_t>(), count.get<std::int64_t>()) << name;
}

}  // namespace
}  // namespace raven::train
