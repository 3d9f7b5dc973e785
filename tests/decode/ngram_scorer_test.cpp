#include "raven/decode/ngram_scorer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "raven/decode/search_language_model.h"

namespace raven::decode {
namespace {

// 0 blank, 1 <unk>, then these, then the end.
const std::vector<std::string> kPieces = {
    "\xE2\x96\x81"
    "RE",
    "D",
    "\xE2\x96\x81"
    "BLUE",
    "\xE2\x96\x81"
    "A"};
constexpr std::int64_t kRe = 2, kD = 3, kBlue = 4, kA = 5, kEnd = 6, kUnits = 7;

constexpr const char* kWords = R"(\data\
ngram 1=5
ngram 2=2

\1-grams:
-99 <s> -0.3
-1.0 </s>
-0.7 red -0.2
-0.9 blue
-2.5 <unk>

\2-grams:
-0.4 <s> red
-0.1 red blue

\end\
)";

std::shared_ptr<const NgramOfUnits> model_of(const std::string& arpa) {
  return std::make_shared<const NgramOfUnits>(
      std::make_shared<const text::NgramModel>(text::NgramModel::parse_arpa(arpa, "lm.arpa")),
      text::Units(kPieces));
}

torch::Tensor units(std::vector<std::int64_t> row) {
  return torch::tensor(row, torch::kInt64).unsqueeze(0);
}

double log10_at(const torch::Tensor& scores, std::int64_t hypothesis, std::int64_t unit) {
  return scores[0][hypothesis][unit].item<double>() / std::log(10.0);
}

TEST(NgramScorer, ScoresAWordWhereItEnds) {
  NgramScorer scorer(model_of(kWords));
  auto scores = scorer.score(units({kEnd}));
  EXPECT_EQ(scores.sizes(), (std::vector<std::int64_t>{1, 1, kUnits}));
  EXPECT_EQ(log10_at(scores, 0, kRe), 0);
  EXPECT_NEAR(log10_at(scores, 0, kEnd), -0.3 - 1.0, 1e-5);  // no word at all
  scores = scorer.score(units({kRe}));
  EXPECT_EQ(log10_at(scores, 0, kD), 0) << "the word goes on";
  EXPECT_NEAR(log10_at(scores, 0, kBlue), -0.3 - 2.5, 1e-5) << "RE is unknown";
  scores = scorer.score(units({kD}));
  EXPECT_NEAR(log10_at(scores, 0, kBlue), -0.4, 1e-5) << "RED, in small letters there";
  EXPECT_NEAR(log10_at(scores, 0, kA), -0.4, 1e-5);
  EXPECT_EQ(log10_at(scores, 0, kD), 0);
  EXPECT_NEAR(log10_at(scores, 0, kEnd), -0.4 + (-0.2 - 1.0), 1e-5);
  scores = scorer.score(units({kBlue}));
  EXPECT_NEAR(log10_at(scores, 0, kEnd), -0.1 - 1.0, 1e-5) << "BLUE after RED, then the end";
}

TEST(NgramScorer, FollowsTheHypothesesThatAreSelected) {
  NgramScorer scorer(model_of(kWords));
  scorer.score(units({kEnd}));
  const auto first = torch::tensor({0}, torch::kInt64);
  scorer.select(first, units({0, 0}));
  scorer.score(units({kRe, kBlue}));
  scorer.select(first, units({1, 0, 0}));  // BLUE; RE; RE
  const auto scores = scorer.score(units({kA, kD, kA}));
  EXPECT_NEAR(log10_at(scores, 0, kRe), -2.5, 1e-5) << "A after BLUE";
  EXPECT_NEAR(log10_at(scores, 1, kRe), -0.4, 1e-5) << "RED after the start";
  EXPECT_NEAR(log10_at(scores, 2, kRe), -2.5, 1e-5) << "A after RE";
}

TEST(NgramScorer, UnitsAreScoredEach) {
  std::string arpa =
      "\\data\\\nngram 1=6\nngram 2=1\n\\1-grams:\n-99 <s> -0.3\n-1.0 </s>\n-0.5 \xE2\x96\x81RE "
      "-0.25\n-0.75 D\n-1.25 \xE2\x96\x81"
      "BLUE\n-2 <unk>\n\\2-grams:\n-0.125 \xE2\x96\x81RE "
      "D\n\\end\\\n";
  NgramScorer scorer(model_of(arpa));
  auto scores = scorer.score(units({kEnd}));
  EXPECT_NEAR(log10_at(scores, 0, kRe), -0.3 - 0.5, 1e-5);
  EXPECT_NEAR(log10_at(scores, 0, kA), -0.3 - 2, 1e-5) << "a unit that the model lacks";
  scores = scorer.score(units({kRe}));
  EXPECT_NEAR(log10_at(scores, 0, kD), -0.125, 1e-5);
  EXPECT_NEAR(log10_at(scores, 0, kBlue), -0.25 - 1.25, 1e-5);
  EXPECT_NEAR(log10_at(scores, 0, kEnd), -0.25 - 1.0, 1e-5);
}

TEST(SearchLanguageModel, IsOneOrNone) {
  EXPECT_TRUE(SearchLanguageModel().empty());
  const SearchLanguageModel model(model_of(kWords));
  EXPECT_FALSE(model.empty());
  EXPECT_EQ(model.num_units(), kUnits);
}

}  // namespace
}  // namespace raven::decode
