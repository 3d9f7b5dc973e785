#include "raven/evaluation/constant_answer.h"

#include <gtest/gtest.h>

#include <vector>

namespace raven::evaluation {
namespace {

using Texts = std::vector<std::string_view>;

TEST(ConstantAnswer, TakesTheMostFrequentWordsOfEachPosition) {
  const auto answer = constant_answer(Texts{"A B C", "A D C", "E B C", "A B F"});
  EXPECT_EQ(answer.text, "A B C");
  EXPECT_EQ(answer.errors, 3);
  EXPECT_EQ(answer.words, 12);
  EXPECT_DOUBLE_EQ(answer.wer(), 0.25);
}

TEST(ConstantAnswer, IsAsLongAsPays) {
  const auto answer = constant_answer(Texts{"A B C D", "E", "F"});
  EXPECT_EQ(answer.text, "A") << "one word of six is right; A B has six errors again";
  EXPECT_EQ(answer.errors, 5);
  const auto longer = constant_answer(Texts{"A X Y Z", "A X Y Z", "B Q", "B R", "B S"});
  EXPECT_EQ(longer.text, "B X");
  EXPECT_EQ(longer.errors, 9);
  const auto nothing = constant_answer(Texts{"", "", "A"});
  EXPECT_EQ(nothing.text, "");
  EXPECT_EQ(nothing.errors, 1);
  EXPECT_EQ(constant_answer(Texts{"B", "A"}).text, "A");
}

TEST(ConstantAnswer, LooksAtEveryKthOfMany) {
  std::vector<std::string_view> many(5000, "A B");
  const auto answer = constant_answer(many);
  EXPECT_EQ(answer.errors, 0);
  EXPECT_EQ(answer.words, 2 * 1667);
}

TEST(Variety, CountsDistinctTextsAndTheCommonest) {
  const auto variety = variety_of(Texts{"B", "A", "B", "", "A", "C"});
  EXPECT_EQ(variety.distinct, 4);
  EXPECT_EQ(variety.most_often, 2);
  EXPECT_EQ(variety.commonest, "A");
  EXPECT_EQ(variety_of({}).distinct, 0);
}

}  // namespace
}  // namespace raven::evaluation
