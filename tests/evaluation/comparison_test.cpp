#include "raven/evaluation/comparison.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/evaluation/scoring.h"
#include "support/temporary_folder.h"

namespace raven::evaluation {
namespace {

using testing::HasSubstr;

class CompareFolders : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, const std::vector<std::string>& hypotheses,
                              const std::string& reference = "A B C D") {
    std::vector<UtteranceResult> results;
    for (std::size_t i = 0; i < hypotheses.size(); ++i) {
      results.push_back({.id = "u" + std::to_string(i),
                         .speaker = "",
                         .frames = 0,
                         .snr_db = std::nullopt,
                         .reference = reference,
                         .hypothesis = hypotheses[i],
                         .score = 0});
    }
    write_scores(folder_.path() / name, score(results));
    return folder_.path() / name;
  }
  std::string error_of(const std::filesystem::path& a, const std::filesystem::path& b) {
    try {
      compare_folders(a, b);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  TemporaryFolder folder_;
};

TEST_F(CompareFolders, SaysWhichIsBetterAndHowSure) {
  const auto poor = write("poor", std::vector<std::string>(30, "A X Y D"));
  auto mostly_right = std::vector<std::string>(30, "A B C D");
  mostly_right[4] = "A";
  const auto good = write("good", mostly_right);
  const auto result = compare_folders(poor, good);
  EXPECT_EQ(result.paired.better, 29);
  EXPECT_EQ(result.paired.worse, 1);
  EXPECT_DOUBLE_EQ(result.paired.difference, (3.0 - 60.0) / 120);
  EXPECT_LT(result.paired.p_bootstrap, 0.01);
  EXPECT_THAT(to_text(result, "poor", "good"), HasSubstr("the second is better"));
  EXPECT_THAT(to_text(result, "poor", "good"), HasSubstr("matched pairs < 0.0001, sign test"));
  EXPECT_THAT(to_text(compare_folders(good, poor), "a", "b"), HasSubstr("the first is better"));
  EXPECT_THAT(to_text(compare_folders(good, good), "a", "b"), HasSubstr("not more than chance"));
  const auto json = nlohmann::json::parse(to_json(result));
  EXPECT_EQ(json.at("wer_a"), 0.5);
  EXPECT_EQ(json.at("utterances"), 30);
}

TEST_F(CompareFolders, ComparesWhatBothHave) {
  const auto result = compare_folders(write("a", {"A", "A B", "X"}), write("b", {"A", "A"}));
  EXPECT_EQ(result.paired.utterances, 2);
  EXPECT_EQ(result.only_a, 1);
  EXPECT_EQ(result.only_b, 0);
  EXPECT_THAT(to_text(result, "a", "b"), HasSubstr("not compared: 1 only in the first"));
}

TEST_F(CompareFolders, RefusesOtherSetsAndDamage) {
  const auto a = write("a", {"A"}), other = write("other", {"A"}, "OTHER WORDS");
  EXPECT_THAT(error_of(a, other), HasSubstr("'u0' has the reference 'A B C D' in "));
  EXPECT_THAT(error_of(a, folder_.path()), HasSubstr("has no utterances.jsonl"));
  const auto lines = read_file(a / "utterances.jsonl");
  for (const auto& damaged : {std::string("{\n"), std::string("[]\n"), lines + lines,
                              lines.substr(0, lines.size() / 2)}) {
    write_file_atomically(other / "utterances.jsonl", damaged);
    EXPECT_THAT(error_of(a, other), HasSubstr("utterances.jsonl:")) << damaged;
  }
  write_file_atomically(other / "utterances.jsonl", "");
  EXPECT_THAT(error_of(a, other), HasSubstr("no utterance in common"));
}

}  // namespace
}  // namespace raven::evaluation
