#include "raven/text/edit_distance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "raven/core/error.h"
#include "raven/core/random.h"

namespace raven::text {
namespace {

using Tokens = std::vector<std::int32_t>;

Tokens tokens(const std::string& letters) { return {letters.begin(), letters.end()}; }

std::string edits(const std::string& reference, const std::string& hypothesis) {
  std::string out;
  for (const auto& step : align(tokens(reference), tokens(hypothesis)))
    out += static_cast<char>(step.edit);
  return out;
}

TEST(EditDistance, CountsTheFewestEdits) {
  const auto distance = [](const std::string& a, const std::string& b) {
    return edit_distance(tokens(a), tokens(b));
  };
  EXPECT_EQ(distance("", ""), 0);
  EXPECT_EQ(distance("", "ab"), 2);
  EXPECT_EQ(distance("abc", ""), 3);
  EXPECT_EQ(distance("kitten", "sitting"), 3);
  EXPECT_EQ(distance("abcd", "bcda"), 2);
  EXPECT_EQ(distance("aaaa", "bbbb"), 4);
}

TEST(Align, KnowsEachEdit) {
  EXPECT_EQ(edits("", ""), "");
  EXPECT_EQ(edits("abc", "abc"), "===");
  EXPECT_EQ(edits("abc", "axc"), "=S=");
  EXPECT_EQ(edits("abc", "ac"), "=D=");
  EXPECT_EQ(edits("ac", "abc"), "=I=");
  EXPECT_EQ(edits("abc", ""), "DDD");
  EXPECT_EQ(edits("", "abc"), "III");
}

TEST(Align, PointsAtTheTokens) {
  const auto steps = align(tokens("ab"), tokens("xb"));
  EXPECT_EQ(steps, (std::vector<EditStep>{{Edit::kSubstitution, 0, 0}, {Edit::kMatch, 1, 1}}));
  EXPECT_EQ(align(tokens("a"), tokens("ab"))[1], (EditStep{Edit::kInsertion, -1, 1}));
  EXPECT_EQ(align(tokens("ab"), tokens("a"))[1], (EditStep{Edit::kDeletion, 1, -1}));
}

// Worked by hand: a b -> b a. Two substitutions cost 8, a deletion, a match and an insertion 6.
TEST(Align, PrefersAMatchToTwoSubstitutions) { EXPECT_EQ(edits("ab", "ba"), "D=I"); }

// One match more against five substitutions less by two gaps each way: sclite pays 4 x 3 for either
// and keeps what it meets first, so that its edits may be one more than the fewest.
TEST(Align, MayTakeMoreEditsThanTheFewest) {
  Random random(11);
  std::int64_t more = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string a, b;
    for (auto n = random.below(12); n > 0; --n) a += static_cast<char>('a' + random.below(5));
    for (auto n = random.below(12); n > 0; --n) b += static_cast<char>('a' + random.below(5));
    const auto steps = align(tokens(a), tokens(b));
    const auto counts = count_edits(steps);
    const auto least = edit_distance(tokens(a), tokens(b));
    ASSERT_GE(counts.errors(), least);
    ASSERT_LE(counts.errors(), least + 2);
    more += counts.errors() > least ? 1 : 0;
    ASSERT_EQ(counts.deletions - counts.insertions, std::ssize(a) - std::ssize(b));
    ASSERT_EQ(counts.reference_tokens(), std::ssize(a));
    ASSERT_EQ(counts.matches + counts.substitutions + counts.insertions, std::ssize(b));
    std::int64_t r = 0, h = 0;
    for (const auto& step : steps) {  // covers both sides in order, and calls equal what is equal
      if (step.reference >= 0) ASSERT_EQ(step.reference, r++);
      if (step.hypothesis >= 0) ASSERT_EQ(step.hypothesis, h++);
      if (step.reference >= 0 && step.hypothesis >= 0) {
        ASSERT_EQ(step.edit == Edit::kMatch, a[static_cast<std::size_t>(step.reference)] ==
                                                 b[static_cast<std::size_t>(step.hypothesis)]);
      }
    }
    ASSERT_EQ(r, std::ssize(a));
    ASSERT_EQ(h, std::ssize(b));
  }
  EXPECT_GT(more, 0);
}

TEST(Align, RefusesWhatDoesNotFitInMemory) {
  const Tokens many(1 << 15, 1);
  EXPECT_THROW(align(many, many), DataError);
  EXPECT_THROW(edit_distance(many, many), DataError);
  EXPECT_EQ(count_edits(align(Tokens(1 << 20, 1), Tokens(3, 1))).deletions, (1 << 20) - 3);
}

}  // namespace
}  // namespace raven::text
