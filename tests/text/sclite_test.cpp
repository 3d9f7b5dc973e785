// Counts against those of the real sclite, utterance by utterance.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

#include "raven/core/random.h"
#include "raven/text/error_rate.h"
#include "raven/text/trn.h"
#include "support/sclite.h"
#include "support/temporary_folder.h"

namespace raven::text {
namespace {

struct Pair {
  std::string reference, hypothesis;
};

ScliteCounts counts_of(const EditCounts& counts) {
  return {counts.matches, counts.substitutions, counts.deletions, counts.insertions};
}

/// Every utterance and the totals must be equal. Returns how many of sclite's alignments have more
/// edits than the fewest.
std::int64_t expect_equal(const std::vector<Pair>& pairs, const std::string& options = "") {
  const TemporaryFolder folder;
  const bool of_characters = options.find("-c") != std::string::npos;
  std::vector<TrnUtterance> references, hypotheses;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const TrnUtterance utterance{
        .speaker = "s" + std::to_string(i % 7), .utterance = std::to_string(i), .text = ""};
    references.push_back(utterance);
    references.back().text = pairs[i].reference;
    hypotheses.push_back(utterance);
    hypotheses.back().text = pairs[i].hypothesis;
  }
  write_file_atomically(folder.path() / "ref.trn", write_trn(references));
  write_file_atomically(folder.path() / "hyp.trn", write_trn(hypotheses));
  const auto sclite = run_sclite(folder.path(), options);
  EXPECT_EQ(sclite.utterances.size(), pairs.size());
  ErrorTotals totals;
  std::int64_t more = 0;
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const auto errors = compare(pairs[i].reference, pairs[i].hypothesis);
    const auto id = "s" + std::to_string(i % 7) + "-" + std::to_string(i);
    EXPECT_EQ(counts_of(of_characters ? errors.characters : errors.words), sclite.utterances.at(id))
        << pairs[i].reference << "\n"
        << pairs[i].hypothesis;
    more += errors.words.errors() > errors.least_word_errors ? 1 : 0;
    totals.add(errors);
  }
  const auto& sums = of_characters ? totals.characters : totals.words;
  EXPECT_EQ(counts_of(sums), sclite.total);
  EXPECT_EQ(sums.reference_tokens(), sclite.words);
  EXPECT_EQ(totals.utterances, sclite.sentences);
  EXPECT_EQ(totals.sentence_errors, sclite.sentence_errors);
  return more;
}

std::string sentence(Random& random, std::int64_t most, std::int64_t vocabulary) {
  std::string text;
  for (auto n = random.below(most + 1); n > 0; --n)
    text += "W" + std::to_string(random.below(vocabulary)) + " ";
  return text;
}

// Few different words: alignments with many ties, and with more edits than the fewest.
TEST(Sclite, AgreesOnRandomWords) {
  Random random(5);
  std::vector<Pair> pairs;
  for (int i = 0; i < 5000; ++i) {
    const auto vocabulary = 2 + random.below(8);
    pairs.push_back({"R " + sentence(random, 20, vocabulary), sentence(random, 20, vocabulary)});
  }
  EXPECT_GT(expect_equal(pairs), 0);
}

// Hypotheses as a recogniser errs: words dropped, doubled, replaced.
TEST(Sclite, AgreesOnCorruptedSentences) {
  Random random(6);
  const std::vector<std::string> words = {"THE", "IT'S", "A", "OF",   "1960S",
                                          "AND", "TO",   "I", "WE'RE"};
  const auto word = [&] {
    return words[static_cast<std::size_t>(random.below(std::ssize(words)))];
  };
  std::vector<Pair> pairs;
  for (int i = 0; i < 5000; ++i) {
    Pair pair;
    for (auto n = 1 + random.below(25); n > 0; --n) {
      const auto said = word();
      pair.reference += said + " ";
      const auto chance = random.uniform();
      if (chance > 0.1) pair.hypothesis += (chance < 0.3 ? word() : said) + " ";
      if (chance > 0.93) pair.hypothesis += word() + " ";
    }
    pairs.push_back(pair);
  }
  expect_equal(pairs);
}

TEST(Sclite, AgreesOnCharacters) {
  Random random(8);
  std::vector<Pair> pairs;
  for (int i = 0; i < 1000; ++i) {
    Pair pair;
    for (std::string* text : {&pair.reference, &pair.hypothesis}) {
      for (auto n = 1 + random.below(12); n > 0; --n)
        *text +=
            random.chance(0.2) ? " " : std::string(1, static_cast<char>('A' + random.below(6)));
    }
    pair.reference += "A";
    pairs.push_back(pair);
  }
  expect_equal(pairs, "-c");
}

TEST(Sclite, AgreesOnWhatItWouldTakeForMoreThanText) {
  expect_equal(
      {{"A {B / C} D", "A B D"},
       {"@ A @", "A"},
       {"A ;; B", "A B"},
       {";; A", "A"},
       {"(A) B", "B"},
       {"A\\B C\\", "AB C"},
       {"A B", ""},
       {"<script>alert(1)</script> A", "<SCRIPT> A"},
       {"A* ** ***", "A * **"},
       {"%HES 100% A", "HES 100 A"},
       {"\xC3\x89T\xC3\x89 NO\xC3\x8BL \xE6\xBC\xA2", "\xC3\x89T\xC3\x88 NO\xC3\x8BL \xE6\xBC\xA2"},
       {"A- -B C-D", "A B C-D"},
       {"A\tB\x01", "A B"},
       {"\xFF A", "\xFE A"}});
}

TEST(Sclite, AgreesOnLongUtterances) {
  Random random(9);
  expect_equal({{sentence(random, 3000, 50) + "A", sentence(random, 3000, 50)},
                {std::string(3000, 'A'), std::string(3000, 'A') + "B"}});
}

}  // namespace
}  // namespace raven::text
