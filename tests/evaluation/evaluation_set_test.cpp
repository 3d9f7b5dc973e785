#include "raven/evaluation/evaluation_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/media/media_writer.h"
#include "support/temporary_folder.h"

namespace raven::evaluation {
namespace {

using config::NoiseKind;
using testing::ElementsAre;

class EvaluationSets : public testing::Test {
 protected:
  void SetUp() override {
    config_.data.manifest = {(folder_.path() / "test.tsv").string(),
                             (folder_.path() / "val.tsv").string()};
    for (const auto& file : config_.data.manifest) {
      write_file_atomically(file, "id\tvideo\taudio\tframes\na\ta.mp4\t\t3\nb\tb.mp4\t\t3\n");
    }
  }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const auto& set : evaluation_sets(config_)) names.push_back(set.name);
    return names;
  }

  TemporaryFolder folder_;
  config::EvaluateConfig config_;
};

TEST_F(EvaluationSets, AreTheListsAndEachLevelOfNoise) {
  EXPECT_THAT(names(), ElementsAre("test", "val"));
  config_.noise.kind = NoiseKind::kBabble;
  config_.noise.snr_db = {7.5, -0.0, -5};
  EXPECT_THAT(names(),
              ElementsAre("test", "test@babble_7.5dB", "test@babble_0dB", "test@babble_-5dB", "val",
                          "val@babble_7.5dB", "val@babble_0dB", "val@babble_-5dB"));
  config_.noise.clean = false;
  const auto sets = evaluation_sets(config_);
  ASSERT_EQ(sets.size(), 6U);
  EXPECT_EQ(sets[2].snr_db, -5);
  EXPECT_NE(sets[2].noise, nullptr);
  EXPECT_EQ(sets[5].manifest.file.filename(), "val.tsv");
}

TEST_F(EvaluationSets, ARecordingGivesItsName) {
  config_.data.manifest.pop_back();
  config_.noise = {.kind = NoiseKind::kFile, .snr_db = {10}, .clean = false, .file = "none.wav"};
  EXPECT_THROW((void)names(), ConfigError);
  const auto file = folder_.path() / "street_at@night.wav";
  std::ofstream(file) << media::encode_wav(std::vector<float>(20000, 0.25F));
  config_.noise.file = file.string();
  EXPECT_THAT(names(), ElementsAre("test@street_at-night_10dB"));
}

}  // namespace
}  // namespace raven::evaluation
