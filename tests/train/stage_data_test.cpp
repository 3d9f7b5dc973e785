#include "raven/train/stage_data.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "raven/core/error.h"
#include "support/logged.h"
#include "support/temporary_folder.h"

namespace raven::train {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ListedData : public testing::Test {
 protected:
  [[nodiscard]] std::string list(const std::string& name,
                                 const std::vector<std::string>& ids) const {
    data::Manifest manifest{.file = folder_.path() / name, .utterances = {}};
    for (const auto& id : ids) {
      data::Utterance utterance;
      utterance.id = id;
      utterance.video.file = folder_.path() / (id + ".mp4");
      utterance.frames = media::kFrameRateHz * 3600;
      manifest.utterances.push_back(utterance);
    }
    data::write_manifest(manifest);
    return manifest.file.string();
  }
  static std::vector<std::string> ids(const data::Manifest& manifest) {
    std::vector<std::string> ids;
    for (const auto& utterance : manifest.utterances) ids.push_back(utterance.id);
    return ids;
  }

  TemporaryFolder folder_;
};

class FinetuningData : public ListedData {
 protected:
  config::LabelledDataConfig config_;
};

class PretrainingData : public ListedData {
 protected:
  config::PretrainDataConfig config_;
};

TEST_F(PretrainingData, HoursAreTheSameClipsInAnyOrderAndHoldTheLabelledOnes) {
  config_.manifest = {list("a.tsv", {"a", "b", "c", "d", "e"})};
  config_.hours = 3;
  const auto chosen = ids(training_data(config_));
  EXPECT_EQ(chosen.size(), 3U);
  config_.manifest = {list("b.tsv", {"e", "d", "c", "b", "a"})};
  auto again = ids(training_data(config_));
  std::reverse(again.begin(), again.end());
  EXPECT_EQ(again, chosen);
  config::LabelledDataConfig labelled;
  labelled.manifest = config_.manifest;
  labelled.labelled_hours = 2;
  const auto few = ids(training_data(labelled));
  ASSERT_EQ(few.size(), 2U);
  for (const auto& id : few) EXPECT_THAT(chosen, testing::Contains(id));
}

TEST_F(PretrainingData, AnEpochShowsListsAsOftenAsTheyWeigh) {
  config_.manifest = {list("a.tsv", {"a", "b"}), list("c.tsv", {"c"}), list("d.tsv", {"d"})};
  EXPECT_THAT(ids(with_repeats(training_data(config_), config_)), ElementsAre("a", "b", "c", "d"));
  config_.list_weights = {1, 3, 2};
  EXPECT_THAT(ids(with_repeats(training_data(config_), config_)),
              ElementsAre("a", "b", "c", "d", "c", "d", "c"));
}

TEST_F(PretrainingData, SaysWhatHoursLeaveOut) {
  config_.manifest = {list("a.tsv", {"a", "b", "c"})};
  const auto said = [&] { return logged([&] { training_data(config_); }); };
  EXPECT_EQ(said(), "");
  config_.hours = 2;
  EXPECT_THAT(said(),
              HasSubstr("data.hours=2: 2 of 3 utterances are used; data.hours=all takes all"));
  config_.hours = 4;
  try {
    training_data(config_);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("lasts 3.000 hours, data.hours asks for 4; ask for less"));
  }
}

TEST_F(FinetuningData, LabelledHoursChooseFromTrueLabelsAlone) {
  config_.manifest = {list("labelled.tsv", {"a", "b", "c"})};
  config_.pseudo_manifest = {list("pseudo.tsv", {"p", "q"})};
  EXPECT_THAT(ids(training_data(config_)), ElementsAre("a", "b", "c", "p", "q"));
  config_.labelled_hours = 1;
  const auto all = training_data(config_);
  ASSERT_EQ(all.utterances.size(), 3U);
  EXPECT_EQ(all.utterances[1].id, "p");
  EXPECT_EQ(all.lists.size(), 2U);
}

TEST_F(FinetuningData, SaysWhatLabelledHoursLeaveOut) {
  config_.manifest = {list("labelled.tsv", {"a", "b", "c"})};
  const auto said = [&] { return logged([&] { training_data(config_); }); };
  EXPECT_EQ(said(), "");
  config_.labelled_hours = 1;
  EXPECT_THAT(said(), HasSubstr("data.labelled_hours=1: 1 of 3 utterances are used; "
                                "data.labelled_hours=all takes all"));
  config_.labelled_hours = 3;
  EXPECT_EQ(said(), "");
}

TEST_F(FinetuningData, TellsWhereAMissingListWasLookedFor) {
  config_.manifest = {"data/none.tsv"};
  try {
    training_data(config_);
    FAIL() << "there is no such list";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("data.manifest: there is no data/none.tsv (looked for " +
                          (std::filesystem::current_path() / "data/none.tsv").string()));
  }
}

TEST_F(FinetuningData, RepeatsTrueLabels) {
  config_.manifest = {list("labelled.tsv", {"a", "b"})};
  config_.pseudo_manifest = {list("pseudo.tsv", {"p", "q"})};
  config_.labelled_repeats = 3;
  EXPECT_THAT(ids(with_repeats(training_data(config_), config_)),
              ElementsAre("a", "b", "p", "q", "a", "b", "a", "b"));
  EXPECT_DOUBLE_EQ(share_of_labelled(with_repeats(training_data(config_), config_), config_), 0.75);
}

TEST_F(FinetuningData, RepeatsOfTrueLabelsMultiplyThoseOfTheirList) {
  config_.manifest = {list("a.tsv", {"a"}), list("b.tsv", {"b"})};
  config_.pseudo_manifest = {list("pseudo.tsv", {"p"})};
  config_.labelled_repeats = 2;
  config_.list_weights = {1, 2};
  EXPECT_THAT(ids(with_repeats(training_data(config_), config_)),
              ElementsAre("a", "b", "p", "a", "b", "b", "b"));
}

TEST_F(FinetuningData, RefusesAClipWithTwoLabels) {
  config_.manifest = {list("labelled.tsv", {"a", "b"})};
  config_.pseudo_manifest = {list("pseudo.tsv", {"p", "b"})};
  try {
    training_data(config_);
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("pseudo.tsv:3: id 'b' stands in"));
    EXPECT_THAT(error.what(), HasSubstr("labelled.tsv:3 as well"));
  }
  config_.pseudo_manifest = {"none.tsv"};
  EXPECT_THROW(training_data(config_), ConfigError);
}

}  // namespace
}  // namespace raven::train
