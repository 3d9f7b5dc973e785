#include "raven/data/labels.h"

#include <gmock/gmock.h>

#include "raven/core/error.h"
#include "raven/text/tokenizer.h"

namespace raven::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Units 2 A, 3 B, 4 _A, 5 _B, 6 eos; every piece as likely as the others.
std::unique_ptr<text::Tokenizer> tokenizer() {
  const std::string start(text::kWordStart);
  text::Units units({"A", "B", start + "A", start + "B"});
  return text::make_unigram_tokenizer(
      units, {.counts = std::vector<std::int64_t>(static_cast<std::size_t>(units.size()), 1),
              .words = {}});
}

Utterance utterance(const std::string& id, const std::string& text, bool units = false) {
  Utterance result;
  result.id = id;
  result.text = text;
  result.text_is_units = units;
  result.frames = 10;
  return result;
}

Manifest manifest_of(std::vector<Utterance> utterances) {
  return {.file = "a.tsv", .utterances = std::move(utterances)};
}

TEST(Labels, TextsAreNormalisedAndCutIntoUnits) {
  const auto labelled = label(manifest_of({utterance("a", " ab  b.")}), *tokenizer());
  ASSERT_EQ(labelled.manifest.utterances.size(), 1U);
  EXPECT_THAT(labelled.manifest.utterances[0].labels, ElementsAre(4, 3, 5));
}

TEST(Labels, PublishedListsAreReadAsTheyAre) {
  const auto labelled = label(manifest_of({utterance("a", "5 2  2", true)}), *tokenizer());
  EXPECT_THAT(labelled.manifest.utterances.at(0).labels, ElementsAre(5, 2, 2));
  EXPECT_EQ(reference_text(utterance("a", "5 2 2", true), tokenizer()->units()), "BAA");
}

TEST(Labels, WhatCannotBeLearntIsLeftOutByReason) {
  const auto labelled = label(manifest_of({utterance("good", "A"), utterance("empty", " "),
                                           utterance("odd", "ABC"), utterance("none", "", true)}),
                              *tokenizer());
  ASSERT_EQ(labelled.manifest.utterances.size(), 1U);
  EXPECT_EQ(labelled.manifest.utterances[0].id, "good");
  EXPECT_THAT(labelled.skipped, ElementsAre(HasSubstr("empty\tno-text\t"),
                                            AllOf(HasSubstr("odd\tcharacters\t"),
                                                  HasSubstr("no units for 'ABC' in 'ABC'")),
                                            HasSubstr("none\tno-text\t")));
}

TEST(Labels, AreFilledWherePossibleWithoutLosingAnUtterance) {
  auto manifest = manifest_of({utterance("good", "A"), utterance("empty", " "),
                               utterance("odd", "ABC"), utterance("ids", "3 2", true)});
  EXPECT_EQ(label_where_possible(manifest, *tokenizer()), 2);
  ASSERT_EQ(manifest.utterances.size(), 4U);
  EXPECT_THAT(manifest.utterances[0].labels, ElementsAre(4));
  EXPECT_THAT(manifest.utterances[1].labels, ElementsAre());
  EXPECT_THAT(manifest.utterances[2].labels, ElementsAre());
  EXPECT_THAT(manifest.utterances[3].labels, ElementsAre(3, 2));
}

TEST(Labels, IdsOutsideTheVocabularyEndIt) {
  for (const std::string text : {"0", "6", "7", "-1", "99999999999999999999", "2,3", "A"}) {
    EXPECT_THROW(label(manifest_of({utterance("a", text, true)}), *tokenizer()), DataError) << text;
  }
}

}  // namespace
}  // namespace raven::data
