#include "raven/decode/ctc_alignment.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "raven/core/error.h"

namespace raven::decode {
namespace {

/// Log-probabilities of frames that give each unit a share: rows of V numbers.
torch::Tensor posteriors(const std::vector<std::vector<double>>& frames) {
  std::vector<torch::Tensor> rows;
  for (const auto& frame : frames) rows.push_back(torch::tensor(frame, torch::kFloat64));
  return torch::stack(rows).log().to(torch::kFloat32);
}

/// Frames of which each is 0.9 sure of a unit out of `num_units`.
torch::Tensor sure_of(const std::vector<std::int64_t>& path, std::int64_t num_units) {
  const auto one_hot = torch::one_hot(torch::tensor(path), num_units).to(torch::kFloat64);
  return (one_hot * 0.9 + (1 - one_hot) * 0.1 / static_cast<double>(num_units - 1)).log();
}

std::vector<std::pair<std::int64_t, std::int64_t>> frames_of(
    const std::optional<std::vector<UnitSpan>>& spans) {
  std::vector<std::pair<std::int64_t, std::int64_t>> frames;
  for (const auto& span : spans.value()) frames.emplace_back(span.begin, span.end);
  return frames;
}

using Frames = std::vector<std::pair<std::int64_t, std::int64_t>>;

TEST(CtcAlignment, FindsTheFramesOfEachUnit) {
  const auto spans = align(sure_of({0, 1, 1, 0, 0, 2, 1, 0}, 4), {1, 2, 1}, "clip");
  EXPECT_EQ(frames_of(spans), (Frames{{1, 3}, {5, 6}, {6, 7}}));
  EXPECT_NEAR(spans->at(1).confidence, 0.9, 1e-6);
}

TEST(CtcAlignment, EqualUnitsAreApart) {
  // All three frames are for unit 1; twice it takes a blank between, the least of which is the
  // middle one's.
  EXPECT_EQ(frames_of(align(sure_of({1, 1, 1}, 3), {1, 1}, "clip")), (Frames{{0, 1}, {2, 3}}));
  EXPECT_FALSE(align(sure_of({1, 1}, 3), {1, 1}, "clip").has_value());
  EXPECT_FALSE(align(sure_of({1, 2}, 3), {1, 2, 1}, "clip").has_value());
  EXPECT_TRUE(align(sure_of({1, 2}, 3), {1, 2}, "clip").has_value());
}

TEST(CtcAlignment, IsTheBestPathOfTheUnitsThoughOthersAreMoreProbable) {
  // Frame by frame the best is blank, 2, 2, blank. Spelling 1 costs least in frame 2: 0.3 for 0.6.
  const auto frames =
      posteriors({{0.90, 0.05, 0.05}, {0.2, 0.1, 0.7}, {0.1, 0.3, 0.6}, {0.8, 0.1, 0.1}});
  const auto spans = align(frames, {1}, "clip");
  // Paths: 1 at frame 2 alone: 0.9 * 0.2 * 0.3 * 0.8 = 0.0432; at 1 and 2: 0.9 * 0.1 * 0.3 * 0.8.
  EXPECT_EQ(frames_of(spans), (Frames{{2, 3}}));
  EXPECT_NEAR(spans->at(0).confidence, 0.3, 1e-6);
}

TEST(CtcAlignment, EqualsTheBestOfAllPaths) {
  torch::manual_seed(3);
  const std::vector<std::int64_t> units = {1, 1, 2};
  for (int round = 0; round < 20; ++round) {
    const auto frames = torch::randn({6, 3}, torch::kFloat64).mul(2).log_softmax(-1);
    const auto at = frames.accessor<double, 2>();
    double best = -std::numeric_limits<double>::infinity();
    std::vector<std::int64_t> best_path;
    for (int code = 0; code < 729; ++code) {
      std::vector<std::int64_t> path, spelled;
      double score = 0;
      for (int t = 0, rest = code; t < 6; ++t, rest /= 3) {
        path.push_back(rest % 3);
        score += at[t][path.back()];
        if (path.back() != 0 && (t == 0 || path[static_cast<std::size_t>(t) - 1] != path.back()))
          spelled.push_back(path.back());
      }
      if (spelled == units && score > best) {
        best = score;
        best_path = path;
      }
    }
    std::vector<std::int64_t> found(6);
    const auto spans = align(frames, units, "clip");
    for (std::size_t i = 0; i < units.size(); ++i)
      for (auto t = spans->at(i).begin; t < spans->at(i).end; ++t)
        found[static_cast<std::size_t>(t)] = units[i];
    EXPECT_EQ(found, best_path);
  }
}

TEST(CtcAlignment, RefusesWhatIsNoNumber) {
  auto frames = sure_of({0, 1}, 3);
  frames[1][2] = std::nan("");
  EXPECT_THROW(align(frames, {1}, "clip"), DataError);
}

class WordSpans : public testing::Test {
 protected:
  // ids: 2 "▁AB", 3 "C", 4 "▁D", 5 "▁"; 6 is the end.
  const text::Units units_{std::vector<std::string>{"▁AB", "C", "▁D", "▁"}};
  const std::int64_t size_ = units_.size();
};

TEST_F(WordSpans, AreThoseOfTheirUnitsAndHalfOfTheWayToTheNext) {
  // ▁AB in frames 2 and 3, C in 5, ▁D in 10; 12 frames.
  const auto frames = sure_of({0, 0, 2, 2, 0, 3, 0, 0, 0, 0, 4, 0}, size_);
  const auto words = word_spans(frames, {2, 3, 4, units_.eos()}, units_, "clip");
  ASSERT_EQ(words.size(), 2U);
  EXPECT_EQ(words[0].word, "ABC");
  EXPECT_DOUBLE_EQ(words[0].begin, 1);  // half of the 2 frames before it
  EXPECT_DOUBLE_EQ(words[0].end, 8);    // half of the 4 frames after C
  EXPECT_EQ(words[1].word, "D");
  EXPECT_DOUBLE_EQ(words[1].begin, 8);
  EXPECT_DOUBLE_EQ(words[1].end, 11.5);
}

TEST_F(WordSpans, DoNotReachFarIntoASilence) {
  auto path = std::vector<std::int64_t>(40, 0);
  path[20] = 4;
  const auto words = word_spans(sure_of(path, size_), {4}, units_, "clip");
  EXPECT_DOUBLE_EQ(words[0].begin, 20 - kMostAround);
  EXPECT_DOUBLE_EQ(words[0].end, 21 + kMostAround);
}

TEST_F(WordSpans, AreAsSureAsTheirLeastSureUnit) {
  auto frames = sure_of({0, 2, 0, 3, 0, 4}, size_);
  frames[1] = torch::full({size_}, std::log(1.0 / static_cast<double>(size_)), torch::kFloat64);
  const auto words = word_spans(frames, {2, 3, 4}, units_, "clip");
  EXPECT_NEAR(words[0].confidence, 1.0 / static_cast<double>(size_), 1e-6);
  EXPECT_NEAR(words[1].confidence, 0.9, 1e-6);
}

TEST_F(WordSpans, KeepOutOfSilence) {
  // C is marked in frame 8, where nothing is heard any more; it is a little likely in frame 4, too.
  auto path = std::vector<std::int64_t>(10, 0);
  path[2] = 2;
  path[8] = 3;
  auto frames = sure_of(path, size_);
  frames[4][3] = std::log(0.05);
  const std::vector<bool> silent = {true,  false, false, false, false,
                                    false, true,  true,  true,  true};
  const auto words = word_spans(frames, {2, 3}, units_, "clip", silent);
  ASSERT_EQ(words.size(), 1U);
  EXPECT_DOUBLE_EQ(words[0].begin, 1);
  EXPECT_DOUBLE_EQ(words[0].end, 6);
  EXPECT_NEAR(words[0].confidence, 0.05, 1e-6);
  // Where there is no room elsewhere, it is there all the same.
  const auto late = word_spans(frames, {2, 3}, units_, "clip", std::vector<bool>(10, true));
  EXPECT_NEAR(late[0].confidence, 0.9, 1e-6);
}

TEST_F(WordSpans, AMarkAloneBeginsAWord) {
  const auto words = word_spans(sure_of({2, 0, 5, 3, 0, 5}, size_), {2, 5, 3, 5}, units_, "clip");
  ASSERT_EQ(words.size(), 2U);
  EXPECT_EQ(words[1].word, "C");
}

TEST_F(WordSpans, AreEvenlyLaidOutWhereTheFramesAreTooFew) {
  const auto words = word_spans(sure_of({0, 0, 0}, size_), {4, 4, 4}, units_, "clip");
  ASSERT_EQ(words.size(), 3U);
  EXPECT_DOUBLE_EQ(words[1].begin, 1);
  EXPECT_DOUBLE_EQ(words[2].end, 3);
  EXPECT_EQ(words[0].confidence, 0);
  EXPECT_TRUE(word_spans(sure_of({0}, size_), {units_.eos()}, units_, "clip").empty());
}

}  // namespace
}  // namespace raven::decode
