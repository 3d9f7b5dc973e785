// The published vocabulary: numbering, detokenisation, segmentation of words. Its two files are not
// in the repository; RAVEN_PARITY_DIR names a folder that has them (tests/parity/data/README.md).
#include <gtest/gtest.h>

#include <cmath>

#include "raven/text/normalise.h"
#include "raven/text/tokenizer.h"
#include "support/parity.h"

namespace raven {
namespace {

using text::Units;
using Ids = std::vector<std::int64_t>;

Units published_units() { return Units::read(parity::path("unigram1000_units.txt")); }

std::unique_ptr<text::Tokenizer> published_tokenizer() {
  return text::make_tokenizer({.units_file = parity::path("unigram1000_units.txt"),
                               .model_file = parity::path("unigram1000_counts.json")});
}

TEST(Vocabulary, IsNumberedAsPublished) {
  const auto units = published_units();
  EXPECT_EQ(units.size(), 1049);
  EXPECT_EQ(units.eos(), 1048);
  EXPECT_EQ(units.piece(2), "'");
  EXPECT_EQ(units.piece(250), text::kWordStart);
  EXPECT_EQ(units.piece(1047), "\xE2\x96\x81YOURSELF");
  EXPECT_EQ(Units::parse(units.text(), "text"), units);
}

TEST(Vocabulary, DetokenisesAsPublished) {
  const auto units = published_units();
  const auto cases = parity::json("text.json").at("detokenise");
  ASSERT_FALSE(cases.empty());
  for (const auto& one : cases) {
    const auto ids = one.at(0).get<Ids>();
    EXPECT_EQ(units.detokenise(ids), one.at(1).get<std::string>()) << one.dump();
    EXPECT_EQ(units.detokenise_reference(ids), one.at(2).get<std::string>()) << one.dump();
  }
}

TEST(Vocabulary, WordsAreMadeOfTheListedPieces) {
  const auto units = published_units();
  const auto words = parity::json("text.json").at("words");
  ASSERT_FALSE(words.empty());
  for (const auto& one : words) {
    const auto ids = one.at(1).get<Ids>();
    Ids found;
    for (const auto& piece : one.at(2))
      found.push_back(units.find(piece.get<std::string>()).value());
    EXPECT_EQ(found, ids);
    EXPECT_EQ(units.detokenise(ids), one.at(0).get<std::string>());
    EXPECT_EQ(text::normalise(units.detokenise(ids)), one.at(0).get<std::string>());
  }
}

/// log-probability of a segmentation under the counts, ids never used with 0.1 occurrence.
double score_of(const Ids& ids, const std::vector<double>& counts) {
  double total = 0, score = 0;
  for (const auto count : counts) total += count;
  for (const auto id : ids)
    score += std::log(std::max(counts.at(static_cast<std::size_t>(id)), 0.1) / total);
  return score;
}

// Counts alone give the published segmentation of 17,455 of 17,656 words; a word where they do not
// must be one where the published path is less probable under the counts.
TEST(Vocabulary, CountsSegmentWordsAsPublished) {
  constexpr double kShare = 17455.0 / 17656;
  const auto tokenizer = published_tokenizer();
  const auto counts =
      parity::json("unigram1000_counts.json").at("counts").get<std::vector<double>>();
  const auto words = parity::json("text.json").at("words");
  double equal = 0;
  for (const auto& one : words) {
    const auto word = one.at(0).get<std::string>();
    const auto published = one.at(1).get<Ids>();
    const auto ids = tokenizer->encode(word);
    equal += ids == published ? 1 : 0;
    EXPECT_EQ(tokenizer->units().detokenise(ids), word);
    if (ids != published) {
      EXPECT_GT(score_of(ids, counts), score_of(published, counts) - 1e-9) << word;
    }
  }
  const auto n = static_cast<double>(words.size());
  EXPECT_GE(equal, n * kShare - 4 * std::sqrt(n * kShare * (1 - kShare))) << equal << " of " << n;
}

TEST(Vocabulary, WordsOfALabelListAreSegmentedAsThere) {
  const auto units = published_units();
  const auto words = parity::json("text.json").at("words");
  std::string csv;
  for (const auto& one : words) {
    csv += "lrs3,x.avi,10,";
    for (const auto& id : one.at(1)) csv += id.dump() + " ";
    csv += "\n";
  }
  const auto tokenizer =
      text::make_unigram_tokenizer(units, text::count_labels(csv, units, "list.csv"));
  for (const auto& one : words)
    EXPECT_EQ(tokenizer->encode(one.at(0).get<std::string>()), one.at(1).get<Ids>());
}

TEST(Vocabulary, SentencesGoThereAndBack) {
  const auto tokenizer = published_tokenizer();
  const auto golden = parity::json("text.json");
  for (const auto& one : golden.at("detokenise")) {
    const auto line = text::normalise(one.at(1).get<std::string>());
    if (line.find('<') != std::string::npos) continue;  // <unk> is no text
    EXPECT_EQ(tokenizer->units().detokenise(tokenizer->encode(line)), line);
  }
}

}  // namespace
}  // namespace raven
