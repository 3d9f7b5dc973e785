#include "raven/decode/ctc_prefix_score.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/tolerance.h"

namespace raven::decode {
namespace {

constexpr std::int64_t kEnd = 3;

/// The worked example: three frames, units blank, 1, 2 and the end.
torch::Tensor posteriors() {
  return torch::tensor({{0.5, 0.3, 0.1, 0.1}, {0.2, 0.2, 0.5, 0.1}, {0.6, 0.1, 0.2, 0.1}})
      .log()
      .unsqueeze(0);
}

/// Scores after `labels`, and the prefix' own log-probability.
struct Scored {
  torch::Tensor scores;
  double log_prob = 0;
};

Scored after(CtcPrefixScore ctc, const std::vector<std::int64_t>& labels) {
  double log_prob = 0;
  const auto only = torch::zeros({1}, torch::kInt64);
  for (const auto label : labels) {
    log_prob += ctc.score({})[0][0][label].item<double>();
    ctc.select(only, only.view({1, 1}), torch::full({1, 1}, label),
               torch::full({1, 1}, log_prob, torch::kFloat64));
  }
  return {.scores = ctc.score({})[0][0], .log_prob = log_prob};
}

TEST(CtcPrefixScore, GivesTheWorkedExample) {
  const CtcPrefixScore ctc(posteriors(), {}, kEnd);
  const auto first = after(ctc, {}).scores;
  EXPECT_NEAR(first[1].item<double>(), -0.891598, 1e-5);
  EXPECT_NEAR(first[2].item<double>(), -0.994252, 1e-5);
  EXPECT_NEAR(first[kEnd].item<double>(), -2.813411, 1e-5);
  EXPECT_LT(first[models::kBlank].item<double>(), kLogZero / 2);
  const auto [scores, log_prob] = after(ctc, {1});
  EXPECT_NEAR(scores[1].item<double>() + log_prob, -5.115996, 1e-5);
  EXPECT_NEAR(scores[2].item<double>() + log_prob, -1.639897, 1e-5);
  EXPECT_NEAR(scores[kEnd].item<double>() + log_prob, -1.845160, 1e-5);
}

/// Probability of all paths whose labels start with, or are, `prefix`.
double by_all_paths(const torch::Tensor& probs, const std::vector<std::int64_t>& prefix,
                    bool whole) {
  const auto frames = probs.size(0), units = probs.size(1);
  const auto paths = static_cast<std::int64_t>(std::llround(std::pow(units, frames)));
  double sum = 0;
  for (std::int64_t path = 0; path < paths; ++path) {
    double p = 1;
    std::vector<std::int64_t> labels;
    std::int64_t rest = path, last = models::kBlank;
    for (std::int64_t t = 0; t < frames; ++t, rest /= units) {
      const auto unit = rest % units;
      p *= probs[t][unit].item<double>();
      if (unit != models::kBlank && unit != last) labels.push_back(unit);
      last = unit;
    }
    if (whole ? labels == prefix
              : labels.size() >= prefix.size() &&
                    std::equal(prefix.begin(), prefix.end(), labels.begin())) {
      sum += p;
    }
  }
  return sum;
}

TEST(CtcPrefixScore, SumsOverAllPaths) {
  torch::manual_seed(1);
  const auto log_probs = (2 * torch::randn({1, 5, 4})).log_softmax(-1);
  const auto probs = log_probs[0].exp();
  const CtcPrefixScore ctc(log_probs, {}, kEnd);
  const std::vector<std::vector<std::int64_t>> prefixes = {{}, {1}, {2}, {1, 1}, {1, 2}, {2, 2, 1}};
  for (const auto& prefix : prefixes) {
    const auto [scores, log_prob] = after(ctc, prefix);
    for (std::int64_t unit = 1; unit < kEnd; ++unit) {
      auto longer = prefix;
      longer.push_back(unit);
      EXPECT_NEAR(std::exp(scores[unit].item<double>() + log_prob),
                  by_all_paths(probs, longer, /*whole=*/false), 1e-5);
    }
    EXPECT_NEAR(std::exp(scores[kEnd].item<double>() + log_prob),
                by_all_paths(probs, prefix, /*whole=*/true), 1e-5);
  }
}

TEST(CtcPrefixScore, ExcludesWhatDoesNotFitIntoTheFrames) {
  const CtcPrefixScore ctc(posteriors(), {}, kEnd);
  const auto scores =
      after(ctc, {1, 1}).scores;  // blank in between: all three frames are spoken for
  EXPECT_LT(scores[1].item<double>(), kLogZero / 2);
  EXPECT_LT(scores[2].item<double>(), kLogZero / 2);
  EXPECT_NEAR(scores[kEnd].item<double>(), 0, 1e-5);
  EXPECT_LT(after(ctc, {1, 2, 1}).scores[2].item<double>(), kLogZero / 2);
}

TEST(CtcPrefixScore, NothingChangesWhatDoesNotFitAnyMore) {
  const CtcPrefixScore ctc(posteriors(), {}, kEnd);
  for (const auto& labels : {std::vector<std::int64_t>{1, 1, 1}, {1, 1, 2}}) {
    const auto scores = after(ctc, labels).scores;
    for (std::int64_t unit = 0; unit <= kEnd; ++unit) {
      EXPECT_EQ(scores[unit].item<double>(), 0) << labels[2] << " then " << unit;
    }
  }
}

TEST(CtcPrefixScore, ThatHoldsAlsoWhereTheRestWasVeryUnlikely) {
  // Unit 1 has e^-700 in every frame: the sum that leads to an impossible prefix is then rounded
  // away from kLogZero by hundreds.
  auto logits = torch::zeros({1, 3, 4});
  logits.select(2, 1).fill_(-700);
  const auto scores = after(CtcPrefixScore(logits.log_softmax(-1), {}, kEnd), {1, 1, 2}).scores;
  for (std::int64_t unit = 0; unit <= kEnd; ++unit) {
    EXPECT_EQ(scores[unit].item<double>(), 0) << unit;
  }
}

TEST(CtcPrefixScore, ScoresListedCandidatesAsAmongAll) {
  torch::manual_seed(2);
  const CtcPrefixScore ctc(torch::randn({1, 6, 5}).log_softmax(-1), {}, 4);
  const auto candidates = torch::tensor({{{2, 0, 4, 1}}});
  EXPECT_TRUE(torch::equal(ctc.score(candidates)[0][0],
                           ctc.score({})[0][0].index_select(0, candidates.view(-1))));
}

TEST(CtcPrefixScore, IsTheSameHoweverItsBatchIsPadded) {
  torch::manual_seed(3);
  const auto log_probs = (3 * torch::randn({2, 9, 6})).log_softmax(-1);
  const auto valid = torch::arange(9).unsqueeze(0) < torch::tensor({9, 4}).unsqueeze(1);
  CtcPrefixScore together(log_probs, valid, 5);
  std::vector<CtcPrefixScore> alone = {
      CtcPrefixScore(log_probs.narrow(0, 0, 1), {}, 5),
      CtcPrefixScore(log_probs.narrow(0, 1, 1).slice(1, 0, 4), {}, 5)};
  auto sums = torch::zeros({2, 3}, torch::kFloat64);
  for (std::int64_t step = 0; step < 4; ++step) {
    const auto scores = together.score({});
    for (std::int64_t b = 0; b < 2; ++b) {
      const auto expected = alone[static_cast<std::size_t>(b)].score({})[0];
      EXPECT_LE(tolerance::distance(scores[b], expected), 1e-4) << step << b;
    }
    // Three hypotheses each, of parents and units that differ.
    const auto parents =
        step == 0 ? torch::zeros({2, 3}, torch::kInt64) : torch::tensor({{0, 2, 1}, {1, 1, 0}});
    const auto units = torch::tensor({{1, 2, 3}, {2, 4, 2}});
    sums = sums.gather(1, parents) + torch::stack({scores[0].index_select(0, parents[0]),
                                                   scores[1].index_select(0, parents[1])})
                                         .gather(2, units.unsqueeze(2))
                                         .squeeze(2);
    together.select(torch::tensor({0, 1}), parents, units, sums);
    for (std::int64_t b = 0; b < 2; ++b) {
      alone[static_cast<std::size_t>(b)].select(torch::tensor({0}), parents.narrow(0, b, 1),
                                                units.narrow(0, b, 1), sums.narrow(0, b, 1));
    }
  }
}

TEST(CtcPrefixScore, ScoresTheWholeVocabularyInParts) {
  torch::manual_seed(4);
  // More numbers than are computed at once: 2 hypotheses x 3000 units x 3000 frames.
  const auto log_probs = torch::randn({1, 3000, 3000}).log_softmax(-1);
  CtcPrefixScore ctc(log_probs, {}, 2999);
  const auto scores = ctc.score({}).view(-1);
  const auto units = torch::tensor({{7, 9}});
  const auto only = torch::zeros({1}, torch::kInt64);
  ctc.select(only, torch::zeros({1, 2}, torch::kInt64), units,
             scores.index_select(0, units.view(-1)).view({1, 2}).to(torch::kFloat64));
  const auto all = ctc.score({});
  const auto some = torch::tensor({3, 7, 2999}).expand({1, 2, 3});
  EXPECT_EQ(all.sizes(), (torch::IntArrayRef{1, 2, 3000}));
  EXPECT_LE(tolerance::distance(all.gather(2, some), ctc.score(some)), 1e-4);
}

}  // namespace
}  // namespace raven::decode
