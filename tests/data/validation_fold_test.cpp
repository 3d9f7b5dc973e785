#include "data/validation_fold.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace raven::data {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Utterance utterance(const std::string& id, const std::string& speaker,
                    const std::string& subset = "trainval") {
  Utterance u;
  u.id = id;
  u.speaker = speaker;
  u.subset = subset;
  return u;
}

/// Utterances of each speaker: as many as `counts` says.
std::vector<Utterance> of_speakers(const std::vector<int>& counts) {
  std::vector<Utterance> all;
  for (std::size_t s = 0; s < counts.size(); ++s) {
    const auto speaker = "s" + std::to_string(s);
    for (int i = 0; i < counts[s]; ++i)
      all.push_back(utterance(speaker + "/" + std::to_string(i), speaker));
  }
  return all;
}

std::string itself(const std::string& id) { return id; }

std::vector<std::string> held(const ValidationFold& fold, const std::vector<Utterance>& all) {
  std::vector<std::string> ids;
  for (const auto& u : all) {
    if (fold.holds(u, u.id)) ids.push_back(u.id);
  }
  return ids;
}

TEST(ValidationFold, IsThePublishedNumberOfWholeSpeakers) {
  // As LRS3's trainval is: 4,000 speakers of 1 to 15 utterances, 32,000 in all.
  std::vector<int> counts;
  for (int s = 0; s < 4000; ++s) counts.push_back(1 + s * 7 % 15);
  auto all = of_speakers(counts);
  for (int i = 0; i < 500; ++i) all.push_back(utterance(std::to_string(i), "s1", "pretrain"));
  ValidationFold fold{.from = "trainval"};
  EXPECT_EQ(draw(fold, all, itself), 1200);
  EXPECT_THAT(fold.clips, IsEmpty());
  const auto ids = held(fold, all);
  EXPECT_EQ(ids.size(), 1200U);
  std::map<std::string, int> by_speaker;
  for (const auto& id : ids) ++by_speaker[id.substr(0, id.find('/'))];
  for (const auto& [speaker, count] : by_speaker)
    EXPECT_EQ(count, counts[static_cast<std::size_t>(std::stoi(speaker.substr(1)))]) << speaker;
  EXPECT_GT(by_speaker.size(), 100U);
}

TEST(ValidationFold, DoesNotDependOnTheOrderOfTheUtterances) {
  auto all = of_speakers(std::vector<int>(50, 4));
  ValidationFold one{.from = "trainval", .wanted = 12}, two = one;
  EXPECT_EQ(draw(one, all, itself), 12);
  std::ranges::reverse(all);
  std::swap(all[3], all[90]);
  EXPECT_EQ(draw(two, all, itself), 12);
  EXPECT_EQ(one.speakers, two.speakers);
  EXPECT_EQ(one.speakers.size(), 3U);
}

TEST(ValidationFold, IsATenthAtMostButOne) {
  const auto count = [](int utterances, std::int64_t wanted) {
    std::vector<Utterance> all;
    for (int i = 0; i < utterances; ++i) all.push_back(utterance(std::to_string(i), "", ""));
    ValidationFold fold{.from = "", .wanted = wanted};
    return draw(fold, all, itself);
  };
  EXPECT_EQ(count(345, 0), 34);
  EXPECT_EQ(count(345, 20), 20);
  EXPECT_EQ(count(345, 100), 34);
  EXPECT_EQ(count(9, 0), 1);
  EXPECT_EQ(count(2, 5), 1);
  EXPECT_EQ(count(1, 0), 0);
  EXPECT_EQ(count(0, 0), 0);
}

TEST(ValidationFold, OfFewSpeakersIsOfSingleClips) {
  const auto all = of_speakers({30, 30});
  ValidationFold fold{.from = "trainval"};
  EXPECT_EQ(draw(fold, all, itself), 6);
  EXPECT_THAT(fold.speakers, IsEmpty());
  EXPECT_EQ(fold.clips.size(), 6U);
  EXPECT_EQ(held(fold, all).size(), 6U);
}

TEST(ValidationFold, KeepsThePiecesOfAClipTogether) {
  std::vector<Utterance> all;
  for (int clip = 0; clip < 30; ++clip) {
    for (int piece = 0; piece < 3; ++piece)
      all.push_back(utterance(std::to_string(clip) + "_" + std::to_string(piece), "", ""));
  }
  const auto clip = [](const std::string& id) { return id.substr(0, id.find('_')); };
  ValidationFold fold{.from = "", .wanted = 8};
  EXPECT_EQ(draw(fold, all, clip), 6);  // two clips; a third does not fit
  EXPECT_EQ(fold.clips.size(), 2U);
  EXPECT_TRUE(fold.holds(utterance("x", "", ""), *fold.clips.begin()));
  EXPECT_FALSE(fold.holds(utterance("x", "", "test"), *fold.clips.begin()));
}

TEST(ValidationFold, ReadsWhatItWrote) {
  const ValidationFold fold{
      .from = "dev", .wanted = 7, .held_out = true, .speakers = {"ann", "bob"}, .clips = {"c/1"}};
  const auto again = ValidationFold::from_json(fold.to_json());
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->to_json(), fold.to_json());
  for (const char* key : {"from", "wanted", "held-out", "speakers", "clips"}) {
    auto json = fold.to_json();
    json[key] = nlohmann::ordered_json::object();
    EXPECT_FALSE(ValidationFold::from_json(json).has_value()) << key;
    json.erase(key);
    EXPECT_FALSE(ValidationFold::from_json(json).has_value()) << key;
  }
  EXPECT_FALSE(ValidationFold::from_json({"clips"}).has_value());
}

TEST(ValidationFold, IsTakenFromTheTrainingPartOfTheLayout) {
  using corpus::Layout;
  const auto clips = [](std::vector<std::pair<Layout, std::string>> parts) {
    std::vector<corpus::SourceClip> all;
    for (auto& [layout, subset] : parts) {
      corpus::SourceClip clip;
      clip.layout = layout;
      clip.subset = subset;
      all.push_back(clip);
    }
    return all;
  };
  EXPECT_EQ(validation_subset(clips({{Layout::kVoxCeleb2, "dev"}, {Layout::kLrs3, "trainval"}})),
            "trainval");
  EXPECT_EQ(validation_subset(clips({{Layout::kLrs3, "test"}, {Layout::kVoxCeleb2, "dev"}})),
            "dev");
  EXPECT_EQ(validation_subset(clips({{Layout::kFolder, ""}})), "");
  EXPECT_EQ(validation_subset(clips({{Layout::kGrid, ""}})), "");
  EXPECT_EQ(validation_subset(clips({{Layout::kLrs2, "train"}, {Layout::kFolder, ""}})),
            std::nullopt);
  EXPECT_EQ(validation_subset(clips({{Layout::kLrs3, "pretrain"}})), std::nullopt);
}

}  // namespace
}  // namespace raven::data
