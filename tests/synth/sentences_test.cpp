#include "synth/sentences.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "synth/draws.h"

namespace raven::synth {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::Each;
using testing::Ge;
using testing::Le;
using testing::MatchesRegex;
using testing::SizeIs;

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

TEST(Sentences, GridFillsItsSixSlots) {
  Random random(1);
  for (int i = 0; i < 300; ++i) {
    EXPECT_THAT(joined(grid_sentence(random).words),
                MatchesRegex(
                    "(BIN|LAY|PLACE|SET) (BLUE|GREEN|RED|WHITE) (AT|BY|IN|WITH) [A-VX-Z] "
                    "(ZERO|ONE|TWO|THREE|FOUR|FIVE|SIX|SEVEN|EIGHT|NINE) (AGAIN|NOW|PLEASE|SOON)"));
  }
}

TEST(Sentences, GridHasFiftyOneWords) {
  Random random(2);
  std::set<std::string> vocabulary;
  for (int i = 0; i < 2000; ++i) {
    for (const auto& word : grid_sentence(random).words) vocabulary.insert(word);
  }
  EXPECT_EQ(vocabulary.size(), 51U);
}

TEST(Sentences, LetterAIsSpelledNotReadAsTheArticle) {
  Random random(3);
  auto sentence = grid_sentence(random);
  while (sentence.words[3] != "A") sentence = grid_sentence(random);
  EXPECT_THAT(sentence.spoken, ContainsRegex(" \\[\\[eI\\]\\] "));
}

TEST(Sentences, DigitStringsHaveFourToEight) {
  Random random(4);
  std::set<std::size_t> lengths;
  for (int i = 0; i < 300; ++i) {
    const auto sentence = digits_sentence(random);
    EXPECT_THAT(sentence.words, SizeIs(AllOf(Ge(4U), Le(8U))));
    lengths.insert(sentence.words.size());
  }
  EXPECT_EQ(lengths, (std::set<std::size_t>{4, 5, 6, 7, 8}));
}

TEST(Sentences, OpenGrammarEndsInWordsOnly) {
  const std::set<std::string> symbols = {
      "S",     "NP", "VP",  "PP", "DET", "POSS", "PRON", "NUM",  "TIME", "CONJ", "Q",   "WISH",
      "MODAL", "BE", "ADJ", "N",  "NS",  "V",    "VB",   "VING", "VI",   "ADV",  "PREP"};
  Random random(5);
  std::set<std::string> vocabulary;
  for (int i = 0; i < 500; ++i) {
    const auto sentence = open_sentence(random);
    EXPECT_LE(sentence.words.size(), 60U) << joined(sentence.words);
    for (const auto& word : sentence.words) {
      EXPECT_EQ(symbols.count(word), 0U) << joined(sentence.words);
      vocabulary.insert(word);
    }
  }
  EXPECT_GT(vocabulary.size(), 350U);
  EXPECT_EQ(vocabulary.count("WAS"), 1U);
}

TEST(Sentences, OpenGrammarSaysAnBeforeVowels) {
  Random random(6);
  int articles = 0;
  for (int i = 0; i < 500; ++i) {
    const auto words = open_sentence(random).words;
    for (std::size_t k = 0; k + 1 < words.size(); ++k) {
      if (words[k] != "A" && words[k] != "AN") continue;
      ++articles;
      const bool vowel = std::string("AEIOU").find(words[k + 1][0]) != std::string::npos;
      EXPECT_EQ(words[k] == "AN", vowel) << joined(words);
    }
  }
  EXPECT_GT(articles, 50);
}

TEST(Sentences, SpokenTextHasATokenForEachWord) {
  Random random(7);
  for (int i = 0; i < 200; ++i) {
    const auto sentence = make_sentence(Kind::kMix, random);
    EXPECT_EQ(std::count(sentence.spoken.begin(), sentence.spoken.end(), ' ') + 1,
              std::ssize(sentence.words));
    for (const auto& word : sentence.words) EXPECT_THAT(word, MatchesRegex("[A-Z]+"));
  }
}

}  // namespace
}  // namespace raven::synth
