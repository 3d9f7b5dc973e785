#include "raven/selftrain/pseudo_labels.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "raven/core/files.h"
#include "support/temporary_folder.h"

namespace raven::selftrain {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

// 0 blank, 1 <unk>, 2 A, 3 B, 4 C, 5 the end.
text::Units units() {
  return text::Units(
      std::vector<std::string>{"\xE2\x96\x81"
                               "A",
                               "\xE2\x96\x81"
                               "B",
                               "\xE2\x96\x81"
                               "C"});
}

evaluation::NbestList decoded(const std::string& id, const std::string& text,
                              std::vector<std::int64_t> said, double score,
                              std::vector<double> confidence,
                              std::optional<std::vector<std::int64_t>> ctc = {}) {
  return {.id = id,
          .alternatives = {{.text = text,
                            .score = score,
                            .parts = {},
                            .units = std::move(said),
                            .confidence = std::move(confidence)}},
          .ctc = std::move(ctc)};
}

data::Manifest clips() {
  data::Manifest manifest{.file = "list.tsv", .utterances = {}};
  for (const auto* id : {"a", "b", "c", "d"})
    manifest.utterances.push_back({.id = id, .video = {}, .audio = {}, .frames = 50});
  return manifest;
}

/// b is not decoded.
std::vector<PseudoLabel> labels() {
  return labels_of(clips(),
                   {decoded("d", "", {5}, -0.5, {0.9}),
                    decoded("a", "A B C", {2, 3, 4, 5}, -2, {0.9, 0.5, 0.8, kNone}, {{2, 4, 4}}),
                    decoded("c", "A <unk>", {2, 1, 5, 5}, -1, {0.9, 0.9, 0.6, kNone}, {{2, 1}})},
                   units(), {{"a", "A BC"}});
}

TEST(PseudoLabels, SayWhatIsKnownOfEach) {
  const auto all = labels();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].id, "a");
  EXPECT_EQ(all[0].num_units, 3);
  EXPECT_DOUBLE_EQ(all[0].score_per_unit, -0.5);
  EXPECT_DOUBLE_EQ(*all[0].lowest_confidence(), 0.5);
  EXPECT_DOUBLE_EQ(*all[0].mean_confidence(), (0.9 + 0.5 + 0.8) / 3);
  EXPECT_DOUBLE_EQ(*all[0].agreement, 1 - 1. / 3);  // A C C for A B C
  EXPECT_DOUBLE_EQ(*all[0].other_agreement, 1) << "words do not count, characters do";
  EXPECT_EQ(all[1].num_units, 2);
  EXPECT_DOUBLE_EQ(*all[1].agreement, 1);
  EXPECT_FALSE(all[2].agreement.has_value());
  EXPECT_FALSE(all[2].other_agreement.has_value());
}

TEST(PseudoLabels, AgreementIsOneLessEditsByLength) {
  const std::vector<std::int32_t> label = {1, 2, 3, 4}, longer = {9, 9, 9, 9, 9, 9, 9, 9, 9};
  EXPECT_DOUBLE_EQ(agreement(label, label), 1);
  EXPECT_DOUBLE_EQ(agreement(label, std::vector<std::int32_t>{1, 3, 4}), 0.75);
  EXPECT_DOUBLE_EQ(agreement(label, longer), 0);
  EXPECT_DOUBLE_EQ(agreement({}, {}), 1);
  EXPECT_DOUBLE_EQ(agreement({}, label), 0);
  EXPECT_DOUBLE_EQ(agreement_of_texts("one two", "ONE TOO"), 1 - 1. / 6);
}

std::vector<std::string> reasons(const config::LabelFilterConfig& filter) {
  auto all = labels();
  judge(all, filter);
  std::vector<std::string> found;
  for (const auto& one : all) found.push_back(one.rejected);
  return found;
}

TEST(PseudoLabels, AreAllKeptWithoutFiltersButForThoseThatNothingCanBeLearntFrom) {
  EXPECT_THAT(reasons({}), ElementsAre("", "unknown", "empty"));
}

TEST(PseudoLabels, AreRejectedByEachFilter) {
  using config::ConfidenceRule;
  EXPECT_EQ(reasons({.confidence = ConfidenceRule::kLowest, .min_confidence = 0.51})[0],
            "confidence");
  EXPECT_EQ(reasons({.confidence = ConfidenceRule::kLowest, .min_confidence = 0.5})[0], "");
  EXPECT_EQ(reasons({.confidence = ConfidenceRule::kMean, .min_confidence = 0.7})[0], "");
  EXPECT_EQ(reasons({.confidence = ConfidenceRule::kMean, .min_confidence = 0.74})[0],
            "confidence");
  EXPECT_EQ(reasons({.min_agreement = 0.6})[0], "");
  EXPECT_EQ(reasons({.min_agreement = 0.7})[0], "agreement");
  EXPECT_EQ(reasons({.other = "model", .min_other_agreement = 1})[0], "");
  EXPECT_EQ(reasons({.min_units_per_s = 1.6})[0], "length");  // 3 units in 2 s
  EXPECT_EQ(reasons({.max_units_per_s = 1.4})[0], "length");
  EXPECT_EQ(reasons({.min_units_per_s = 1.4, .max_units_per_s = 1.6})[0], "");
}

TEST(PseudoLabels, WithoutASecondModelsWordAreRejectedWhereItIsAsked) {
  auto all = labels_of(clips(), {decoded("a", "A", {2, 5}, -1, {0.9, 0.9})}, units(), {});
  judge(all, {.other = "model", .min_other_agreement = 0});
  EXPECT_EQ(all[0].rejected, "other");
}

/// Four labels of two words each; scores by unit fall from a to d, errors are 0, 1, 0, 2.
std::vector<PseudoLabel> ranked() {
  std::vector<PseudoLabel> all;
  const std::vector<std::string> texts = {"A B", "A A", "A B", "C"};
  for (std::size_t i = 0; i < 4; ++i) {
    all.push_back({.id = std::string(1, static_cast<char>('a' + i)),
                   .text = texts[i],
                   .frames = 50,
                   .num_units = 2,
                   .score_per_unit = -1.0 - static_cast<double>(i),
                   .confidence = {i == 2 ? 0.99 : 0.5}});
  }
  return all;
}
const std::map<std::string, std::string> kTruth = {
    {"a", "A B"}, {"b", "A B"}, {"c", "A B"}, {"d", "A B"}};

TEST(PseudoLabels, TheBestShareIsKept) {
  auto all = ranked();
  judge(all, {.share_kept = 0.5});
  EXPECT_THAT(count_by_reason(all),
              ElementsAre(testing::Pair("kept", 2), testing::Pair("rank", 2)));
  EXPECT_EQ(all[1].rejected, "");
  EXPECT_EQ(all[2].rejected, "rank");
}

TEST(PseudoLabels, TellTheirErrorsByShare) {
  auto all = ranked();
  judge(all, {.share_kept = 0.75});
  const auto rows = errors_by_share(all, kTruth);
  const auto find = [&](const std::string& criterion, double share) {
    for (const auto& row : rows) {
      if (row.criterion == criterion && std::abs(row.share - share) < 1e-9) return row;
    }
    ADD_FAILURE() << criterion << " " << share;
    return ErrorAtShare{};
  };
  EXPECT_EQ(find("score", 0.2).labels, 1);
  EXPECT_EQ(find("score", 0.2).errors, 0);
  EXPECT_EQ(find("score", 0.5).errors, 1);
  EXPECT_EQ(find("score", 1).errors, 3);
  EXPECT_DOUBLE_EQ(find("score", 1).rate(), 3. / 8);
  EXPECT_EQ(find("lowest_confidence", 0.1).errors, 0);
  EXPECT_EQ(find("kept", 0.75).labels, 3);
  EXPECT_EQ(find("kept", 0.75).errors, 1);
  for (const auto& row : rows) EXPECT_NE(row.criterion, "agreement") << "no label has one";
  EXPECT_TRUE(errors_by_share(all, {}).empty());
}

TEST(PseudoLabels, WithoutWordsAreNotRanked) {
  auto all = ranked();
  const auto rows = errors_by_share(all, kTruth).size();
  auto& silent = all.front();  // else the best by its score
  silent.text = "", silent.num_units = 0, silent.score_per_unit = 0;
  judge(all, {});
  for (const auto& row : errors_by_share(all, kTruth)) {
    EXPECT_LE(row.labels, std::ssize(all) - 1) << row.criterion;
    if (row.criterion == "kept") EXPECT_DOUBLE_EQ(row.share, 0.75);
  }
  EXPECT_EQ(errors_by_share(all, kTruth).size(), rows);
}

TEST(PseudoLabels, KeptOnesAreTextsOfTheList) {
  auto all = labels();
  judge(all, {});
  const auto list = kept_utterances(clips(), all);
  ASSERT_EQ(list.utterances.size(), 1U);
  EXPECT_EQ(list.utterances[0].id, "a");
  EXPECT_EQ(list.utterances[0].text, "A B C");
}

TEST(PseudoLabels, AreWrittenWithAllThatIsKnown) {
  const TemporaryFolder folder;
  auto all = labels();
  judge(all, {.min_agreement = 0.7});
  write_labels(folder.path() / "labels.tsv", all);
  const auto text = read_file(folder.path() / "labels.tsv");
  EXPECT_THAT(text, HasSubstr("a\t0\tagreement\t-0.500000\t0.500000\t0.733333\t0.666667\t1.000000\t"
                              "50\t3\tA B C\t0.9000 0.5000 0.8000 -\n"));
  EXPECT_THAT(text, HasSubstr("d\t0\tempty\t-0.500000\t0.900000\t0.900000\t\t\t50\t0\t\t0.9000\n"));
}

}  // namespace
}  // namespace raven::selftrain
