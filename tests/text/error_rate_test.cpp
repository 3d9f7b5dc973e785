#include "raven/text/error_rate.h"

#include <gtest/gtest.h>

#include <cmath>

namespace raven::text {
namespace {

TEST(Compare, CountsWordsAndCharacters) {
  const auto errors = compare("IT IS RED", " IT  BLUE\tRED NOW");
  EXPECT_EQ(errors.words,
            (EditCounts{.matches = 2, .substitutions = 1, .deletions = 0, .insertions = 1}));
  EXPECT_EQ(errors.least_word_errors, 2);
  // ITISRED against ITBLUEREDNOW: "IS" becomes "BLUE" (2 S, 2 I), "NOW" is inserted
  EXPECT_EQ(errors.characters.reference_tokens(), 7);
  EXPECT_EQ(errors.characters.errors(), 7);
}

TEST(Compare, ComparesByCodePoint) {
  EXPECT_EQ(compare("the cat", "THE CAT").words.substitutions, 2);
  EXPECT_EQ(compare("caf\xC3\xA9", "cafe\xCC\x81").words.substitutions, 1);  // not normalised
  EXPECT_EQ(compare("\xFF\xFE", "\xFF\xFE").words.errors(), 0);
  EXPECT_EQ(compare("\xC3\x89\xC3\x89", "\xC3\x89").characters.deletions, 1);
}

TEST(Compare, EmptyTexts) {
  EXPECT_EQ(compare("", "").words, EditCounts());
  EXPECT_EQ(compare("", "A B").words.insertions, 2);
  EXPECT_EQ(compare(" \t", "").alignment.size(), 0U);
  EXPECT_EQ(compare("A B", "").words.deletions, 2);
  EXPECT_EQ(compare("A B", "").characters.deletions, 2);
}

TEST(Totals, AddUp) {
  ErrorTotals totals;
  EXPECT_TRUE(std::isnan(totals.wer()) && std::isnan(totals.cer()));
  totals.add(compare("A B C", "A B C"));
  totals.add(compare("A", "B C"));
  EXPECT_EQ(totals.utterances, 2);
  EXPECT_EQ(totals.sentence_errors, 1);
  EXPECT_EQ(totals.least_word_errors, 2);
  EXPECT_DOUBLE_EQ(totals.wer(), 0.5);
  EXPECT_DOUBLE_EQ(totals.cer(), 0.5);
}

TEST(AlignmentText, StandsInColumns) {
  EXPECT_EQ(alignment_text(compare("IT IS RED", "IT BLUE RED NOW").alignment),
            "REF:  IT IS   RED ***\n"
            "HYP:  IT BLUE RED NOW\n"
            "EVAL:    S        I\n");
  EXPECT_EQ(alignment_text(compare("\xC3\x89T\xC3\x89", "").alignment),
            "REF:  \xC3\x89T\xC3\x89\nHYP:  ***\nEVAL: D\n");
  EXPECT_EQ(alignment_text({}), "REF:\nHYP:\nEVAL:\n");
}

}  // namespace
}  // namespace raven::text
