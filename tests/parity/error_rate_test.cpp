// Word errors of the published metric: least number of edits, Python's white space, empty
// references skipped.
#include "raven/text/error_rate.h"

#include <gtest/gtest.h>

#include "raven/text/words.h"
#include "support/parity.h"

namespace raven {
namespace {

TEST(ErrorRates, AreThePublishedMetrics) {
  const auto golden = parity::json("wer.json");
  ASSERT_FALSE(golden.at("pairs").empty());
  std::int64_t errors = 0, words = 0;
  for (const auto& pair : golden.at("pairs")) {
    const auto reference = pair.at("ref").get<std::string>(),
               hypothesis = pair.at("hyp").get<std::string>();
    const auto found = text::compare(reference, hypothesis);
    EXPECT_EQ(text::word_distance(reference, hypothesis), pair.at("errors").get<std::int64_t>())
        << pair;
    EXPECT_EQ(found.least_word_errors, pair.at("errors").get<std::int64_t>()) << pair;
    EXPECT_EQ(found.words.reference_tokens(), pair.at("words").get<std::int64_t>()) << pair;
    EXPECT_EQ(found.words.deletions - found.words.insertions,
              pair.at("deletions_minus_insertions").get<std::int64_t>())
        << pair;
    if (found.words.errors() == found.least_word_errors) {  // sclite's alignment is one of the best
      EXPECT_GE(found.words.substitutions, pair.at("substitutions").at(0).get<std::int64_t>())
          << pair;
      EXPECT_LE(found.words.substitutions, pair.at("substitutions").at(1).get<std::int64_t>())
          << pair;
    }
    if (text::split_words(reference).empty()) {
      EXPECT_TRUE(pair.at("wer").is_null()) << pair;
      continue;
    }
    const auto wer = pair.at("wer").get<double>();
    EXPECT_NEAR(static_cast<double>(found.least_word_errors) /
                    static_cast<double>(found.words.reference_tokens()),
                wer, 1e-9 + parity::rounding(wer))
        << pair;
    errors += found.least_word_errors;
    words += found.words.reference_tokens();
  }
  const auto& corpus = golden.at("corpus");
  EXPECT_EQ(errors, corpus.at("errors").get<std::int64_t>());
  EXPECT_EQ(words, corpus.at("words").get<std::int64_t>());
  const auto wer = corpus.at("wer").get<double>();
  EXPECT_NEAR(static_cast<double>(errors) / static_cast<double>(words), wer,
              1e-9 + parity::rounding(wer));
}

}  // namespace
}  // namespace raven
