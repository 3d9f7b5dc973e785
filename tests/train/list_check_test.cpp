#include "raven/train/list_check.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/train/stage_data.h"
#include "raven/weights/model_settings.h"
#include "support/temporary_folder.h"

namespace raven::train {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

/// Clips of an id and a speaker; a file's content is its name unless another one is given.
struct Clip {
  std::string id, speaker = "", content = id;
};

class ListCheck : public testing::Test {
 protected:
  std::string list(const std::string& name, const std::vector<Clip>& clips) const {
    data::Manifest manifest{.file = folder_.path() / name, .utterances = {}};
    for (const auto& clip : clips) {
      data::Utterance utterance;
      utterance.id = clip.id;
      utterance.video.file = folder_.path() / (clip.id + ".mp4");
      write_file_atomically(utterance.video.file, clip.content);
      utterance.speaker = clip.speaker;
      utterance.frames = 10;
      manifest.utterances.push_back(utterance);
    }
    data::write_manifest(manifest);
    return manifest.file.string();
  }
  [[nodiscard]] config::PretrainDataConfig config(const std::string& test) const {
    config::PretrainDataConfig config;
    config.manifest = {list("train.tsv", {{"a", "Ann"}, {"b", "Bob"}, {"c", "Cid"}})};
    config.valid_manifest = list("valid.tsv", {{"v", "Vic"}, {"b", "Bob"}});
    config.test_manifest = {test};
    return config;
  }
  static std::map<std::string, std::string> card(const config::PretrainDataConfig& config) {
    return check_lists(config, training_data(config), held_out_data(config));
  }
  static std::string problem(const config::PretrainDataConfig& config) {
    try {
      card(config);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "";
  }
  TemporaryFolder folder_;
};

TEST_F(ListCheck, RefusesTrainingOnTestClipsByIdAndByContent) {
  const auto by_id = problem(config(list("test.tsv", {{"t"}, {"c"}})));
  EXPECT_THAT(by_id, HasSubstr("1 of the 3 training clips are in data.test_manifest"));
  EXPECT_THAT(by_id, HasSubstr("train.tsv:4): the id of 'c' ("));
  EXPECT_THAT(by_id, HasSubstr("test.tsv:3)"));
  const auto by_content = problem(config(list("test.tsv", {{"t"}, {"u", "", "c"}})));
  EXPECT_THAT(by_content, HasSubstr("train.tsv:4): the video of 'u' ("));
  EXPECT_EQ(problem(config(list("test.tsv", {{"t"}, {"u"}}))), "");
}

// What is left out of training may be in the test.
TEST_F(ListCheck, ComparesWhatIsTrainedOn) {
  auto config = this->config(list("test.tsv", {{"t"}, {"c"}}));
  config.max_utterances = 2;
  EXPECT_EQ(problem(config), "");
}

TEST_F(ListCheck, EachTestListCounts) {
  auto config = this->config(list("one.tsv", {{"t"}}));
  config.test_manifest.push_back(list("two.tsv", {{"t"}, {"a"}}));
  EXPECT_THAT(problem(config), HasSubstr("two.tsv:3)"));
  config.test_manifest = {""};  // none
  EXPECT_EQ(problem(config), "");
  EXPECT_FALSE(card(config).contains(weights::kTestLists));
  config.test_manifest = {(folder_.path() / "none.tsv").string()};
  EXPECT_THAT(problem(config), HasSubstr("data.test_manifest: there is no"));
}

TEST_F(ListCheck, TellsWhatTheModelSawAndWhatWasKeptFromIt) {
  auto config = this->config(list("test.tsv", {{"t", "Tim"}, {"u", "Una"}}));
  config.max_utterances = 2;
  const auto told = card(config);
  const auto trained = json::parse(told.at(weights::kTrainedOn));
  ASSERT_EQ(trained.size(), 1U);
  EXPECT_EQ(trained[0], json({{"list", "train.tsv"},
                              {"clips", 3},
                              {"used", 2},
                              {"xxh3", checksum_text(checksum_file(config.manifest.front()))}}));
  EXPECT_EQ(json::parse(told.at(weights::kValidatedOn))[0].at("list"), "valid.tsv");
  EXPECT_EQ(json::parse(told.at(weights::kTestLists))[0].at("clips"), 2);
  EXPECT_EQ(told.at(weights::kOverlapCheck), "passed");
}

TEST_F(ListCheck, SharedSpeakersAreNoErrorAndTold) {
  const auto told = card(config(list("test.tsv", {{"t", "Cid"}, {"u", "Una"}, {"w", "Ann"}})));
  EXPECT_EQ(told.at(weights::kOverlapCheck), "passed, 2 shared speakers");
  EXPECT_EQ(card(config(list("test.tsv", {{"t"}}))).at(weights::kOverlapCheck),
            "passed, speakers not known");
}

TEST_F(ListCheck, CanBeTurnedOffWhichIsTold) {
  auto config = this->config(list("test.tsv", {{"t"}, {"c"}}));
  config.check_overlap = false;
  EXPECT_EQ(card(config).at(weights::kOverlapCheck), "off");
}

}  // namespace
}  // namespace raven::train
