#include "raven/data/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "raven/core/error.h"

namespace raven::data {
namespace {

Utterance utterance(std::int64_t frames, const std::string& speaker, const std::string& subset,
                    const std::string& text) {
  Utterance u;
  u.id = std::to_string(frames);
  u.video = {"/d/0.tar", u.id};
  u.frames = frames;
  u.speaker = speaker;
  u.subset = subset;
  u.text = text;
  return u;
}

Manifest three() {
  Manifest manifest;
  manifest.utterances = {utterance(24, "a", "train", "ONE  TWO"), utterance(25, "a", "train", ""),
                         utterance(110, "b", "test", "X")};
  return manifest;
}

TEST(Statistics, CountsWhatIsListed) {
  const auto s = statistics_of(three());
  EXPECT_EQ(s.all.utterances, 3);
  EXPECT_EQ(s.all.frames, 159);
  EXPECT_DOUBLE_EQ(s.hours(), 159.0 / 25 / 3600);
  EXPECT_EQ(s.shortest, 24);
  EXPECT_EQ(s.median, 25);
  EXPECT_EQ(s.longest, 110);
  EXPECT_EQ(s.speakers, 2);
  EXPECT_EQ(s.with_text, 2);
  EXPECT_EQ(s.words, 3);
  EXPECT_EQ(s.shards, 1);
  EXPECT_EQ(s.subsets.at("train").frames, 49);
  EXPECT_EQ(s.sources.at("").utterances, 3);
}

TEST(Statistics, CountWhatHasPicturesAndSound) {
  auto manifest = three();
  manifest.utterances[0].audio = {"/d/1.tar", "a.wav"};
  manifest.utterances[0].video = {};
  manifest.utterances[1].video.member = "b.npy";  // and no audio
  const auto s = statistics_of(manifest);
  EXPECT_EQ(s.with_video, 2);
  EXPECT_EQ(s.with_audio, 2);
  EXPECT_EQ(s.shards, 2);
  EXPECT_THAT(to_json(s),
              testing::HasSubstr("\"with_video\":2,\"with_audio\":2,\"published_grey\":0,"));
  EXPECT_EQ(to_text(s).find("grey"), std::string::npos);
  manifest.utterances[2].grey = corpus::Grey::kPublished;
  EXPECT_THAT(to_text(statistics_of(manifest)), testing::HasSubstr("grey        1 published\n"));
}

TEST(Statistics, ReadUnitIdsWhereTheVocabularyIsKnown) {
  const auto units = text::Units::parse("<unk> 1\n'S 2\n\u2581IT 3\n\u2581\u00c9T\u00c9 4\n", "u");
  Manifest manifest = three();
  manifest.utterances[0].text = "3 2 3";  // IT'S IT
  manifest.utterances[2].text = "4";
  for (auto& u : manifest.utterances) u.text_is_units = true;
  const auto ids = statistics_of(manifest);
  EXPECT_EQ(ids.with_text, 2);
  EXPECT_EQ(ids.unit_ids, 4);
  EXPECT_EQ(ids.words, 0);  // none are known
  EXPECT_TRUE(ids.examples.empty());
  EXPECT_THAT(to_text(ids), testing::HasSubstr("with text   2 (4 unit ids; --units FILE reads"));
  const auto text = statistics_of(manifest, &units);
  EXPECT_EQ(text.words, 3);
  EXPECT_EQ(text.distinct_words, 3);
  EXPECT_EQ(text.characters, 10);
  EXPECT_THAT(text.examples, testing::ElementsAre("IT'S IT", "\u00c9T\u00c9"));
  EXPECT_THAT(to_text(text), testing::HasSubstr("2 (3 words, 3 of them different, 10 characters, "
                                                "4 unit ids)"));
  EXPECT_THAT(to_text(text), testing::HasSubstr("example     IT'S IT\n"));
  EXPECT_THAT(to_json(text), testing::HasSubstr("\"examples\":[\"IT'S IT\","));
  manifest.utterances[2].text = "9";
  EXPECT_THROW((void)statistics_of(manifest, &units), DataError);
}

TEST(Statistics, BinsLengthsBySecondsThatDouble) {
  const auto bins = statistics_of(three()).lengths;
  ASSERT_EQ(bins.size(), 4U);  // 0-1, 1-2, 2-4, 4-8
  EXPECT_EQ(bins[0].utterances, 1);
  EXPECT_EQ(bins[1].utterances, 1);
  EXPECT_EQ(bins[2].utterances, 0);
  EXPECT_EQ(bins[3].from_s, 4);
  EXPECT_EQ(bins[3].to_s, 8);
  EXPECT_EQ(bins[3].utterances, 1);
}

TEST(Statistics, AreWrittenForPeopleAndPrograms) {
  const auto s = statistics_of(three());
  EXPECT_THAT(to_text(s), testing::HasSubstr("utterances  3\n"));
  EXPECT_THAT(to_text(s), testing::HasSubstr("train"));
  EXPECT_THAT(to_json(s), testing::StartsWith("{\"utterances\":3,\"frames\":159,"));
  EXPECT_THAT(to_json(s), testing::HasSubstr("\"train\":{\"utterances\":2,\"frames\":49"));
}

TEST(Statistics, OfNothingAreZero) {
  const auto s = statistics_of({});
  EXPECT_EQ(s.all.utterances, 0);
  EXPECT_TRUE(s.lengths.empty());
  EXPECT_THAT(to_text(s), testing::HasSubstr("utterances  0\n"));
}

}  // namespace
}  // namespace raven::data
