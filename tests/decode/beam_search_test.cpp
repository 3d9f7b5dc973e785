#include "raven/decode/beam_search.h"

#include <gtest/gtest.h>

#include <limits>

#include "raven/core/error.h"
#include "support/tolerance.h"

namespace raven::decode {
namespace {

constexpr std::int64_t kUnits = 6, kEnd = 5, kDim = 8;

/// A decoder and CTC posteriors of random weights, loud enough that units differ.
struct Setup {
  nn::TransformerDecoder decoder{nullptr};
  torch::Tensor encoded;    // (B, T, D)
  torch::Tensor valid;      // (B, T) or undefined
  torch::Tensor log_probs;  // (B, T, V)
  std::vector<std::int64_t> lengths;
};

Setup make_setup(std::uint64_t seed, const std::vector<std::int64_t>& lengths) {
  torch::manual_seed(seed);
  Setup setup;
  setup.decoder = nn::TransformerDecoder(
      config::DecoderConfig{.dim = kDim, .heads = 2, .ffn_dim = 12, .blocks = 2, .dropout = 0},
      kDim, kUnits);
  setup.decoder->eval();
  torch::NoGradGuard no_grad;
  setup.decoder->named_parameters()["output_layer.weight"].mul_(4);
  const auto longest = *std::max_element(lengths.begin(), lengths.end());
  const auto batch = static_cast<std::int64_t>(lengths.size());
  setup.encoded = 2 * torch::randn({batch, longest, kDim});
  auto logits = 2 * torch::randn({batch, longest, kUnits});
  logits.select(2, 0) += 1;
  setup.log_probs = logits.log_softmax(-1);
  setup.lengths = lengths;
  if (batch > 1) {
    setup.valid = torch::arange(longest).unsqueeze(0) < torch::tensor(lengths).unsqueeze(1);
  }
  return setup;
}

Setup one_of(const Setup& setup, std::int64_t b) {
  const auto length = setup.lengths[static_cast<std::size_t>(b)];
  return {.decoder = setup.decoder,
          .encoded = setup.encoded.narrow(0, b, 1).slice(1, 0, length),
          .valid = {},
          .log_probs = setup.log_probs.narrow(0, b, 1).slice(1, 0, length),
          .lengths = {length}};
}

SearchScorers hybrid(const Setup& setup, double ctc_weight) {
  SearchScorers scorers;
  if (ctc_weight < 1) {
    scorers.proposer = 0;
    scorers.full.push_back(
        {"decoder", 1 - ctc_weight,
         std::make_shared<AttentionScorer>(setup.decoder, setup.encoded, setup.valid)});
  }
  if (ctc_weight > 0) {
    scorers.ctc = CtcPrefixScore(setup.log_probs, setup.valid, kEnd);
    scorers.ctc_weight = ctc_weight;
  }
  return scorers;
}

std::vector<SearchResult> search(const Setup& setup, SearchScorers scorers, SearchOptions options) {
  torch::NoGradGuard no_grad;
  options.end_unit = kEnd;
  std::vector<std::string> ids;
  for (std::size_t b = 0; b < setup.lengths.size(); ++b) ids.push_back(fmt::format("clip{}", b));
  return beam_search(scorers, options, setup.lengths, ids);
}

void expect_same(const std::vector<Hypothesis>& actual, const std::vector<Hypothesis>& expected,
                 const std::string& where) {
  ASSERT_EQ(actual.size(), expected.size()) << where;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    EXPECT_EQ(actual[i].units, expected[i].units) << where << " " << i;
    EXPECT_NEAR(actual[i].score, expected[i].score, 1e-4) << where << " " << i;
    for (const auto& [name, part] : expected[i].parts) {
      EXPECT_NEAR(actual[i].parts.at(name), part, 1e-4) << where << " " << i << name;
    }
  }
}

TEST(BeamSearch, GivesAnUtteranceTheSameInABatchAsAlone) {
  const std::vector<std::int64_t> lengths = {9, 4, 1, 7};
  const auto setup = make_setup(1, lengths);
  for (const double ctc_weight : {0.0, 0.1, 0.5, 1.0}) {
    for (const double ratio : {0.0, 0.6, -3.0}) {
      for (const std::int64_t beam : {1, 3, 8}) {
        const SearchOptions options{.beam_size = beam, .max_length_ratio = ratio};
        const auto together = search(setup, hybrid(setup, ctc_weight), options);
        for (std::int64_t b = 0; b < 4; ++b) {
          const auto alone = one_of(setup, b);
          const auto expected = search(alone, hybrid(alone, ctc_weight), options).front();
          const auto& actual = together[static_cast<std::size_t>(b)];
          const auto where =
              fmt::format("ctc {} ratio {} beam {} utterance {}", ctc_weight, ratio, beam, b);
          EXPECT_EQ(actual.steps, expected.steps) << where;
          expect_same(actual.hypotheses, expected.hypotheses, where);
        }
      }
    }
  }
}

/// The decoder run on whole prefixes, every time.
class UncachedScorer : public Scorer {
 public:
  explicit UncachedScorer(const Setup& setup) : setup_(setup) {}

  torch::Tensor score(const torch::Tensor& newest) override {
    prefixes_ =
        prefixes_.defined() ? torch::cat({prefixes_, newest.unsqueeze(2)}, 2) : newest.unsqueeze(2);
    const auto slots = prefixes_.size(1);
    const auto logits = setup_.decoder->forward(prefixes_.flatten(0, 1),
                                                setup_.encoded.repeat_interleave(slots, 0), {});
    return logits.select(1, -1).log_softmax(-1).unflatten(0, {-1, slots});
  }

  void select(const torch::Tensor& utterances, const torch::Tensor& parents) override {
    prefixes_ = nn::select_hypotheses(prefixes_, utterances, parents);
  }

 private:
  Setup setup_;
  torch::Tensor prefixes_;  // (B, S, U)
};

TEST(BeamSearch, FindsTheSameWithoutKeptKeysAndValues) {
  const auto setup = make_setup(2, {8});
  const SearchOptions options{.beam_size = 5};
  auto uncached = hybrid(setup, 0.3);
  uncached.full.front().scorer = std::make_shared<UncachedScorer>(setup);
  expect_same(search(setup, uncached, options).front().hypotheses,
              search(setup, hybrid(setup, 0.3), options).front().hypotheses, "uncached");
}

/// Score of a whole sentence, its end included.
double score_of(Setup setup, const std::vector<std::int64_t>& labels, double ctc_weight) {
  torch::NoGradGuard no_grad;
  std::vector<std::int64_t> read = {kEnd};
  read.insert(read.end(), labels.begin(), labels.end());
  auto said = labels;
  said.push_back(kEnd);
  const auto log_probs =
      setup.decoder->forward(torch::tensor(read).unsqueeze(0), setup.encoded, {}).log_softmax(-1);
  double decoder = 0;
  for (std::size_t u = 0; u < said.size(); ++u) {
    decoder += log_probs[0][static_cast<std::int64_t>(u)][said[u]].item<double>();
  }
  const auto ctc = models::ctc_loss(setup.log_probs, {},
                                    {.units = labels.empty() ? torch::empty({1, 0}, torch::kInt64)
                                                             : torch::tensor(labels).unsqueeze(0)});
  return (1 - ctc_weight) * decoder - ctc_weight * ctc.item<double>();
}

TEST(BeamSearch, FindsTheBestOfAllSentencesWithABeamThatHoldsThemAll) {
  for (std::uint64_t seed = 3; seed < 8; ++seed) {
    const auto setup = make_setup(seed, {3});
    const auto result =
        search(setup, hybrid(setup, 0.4), {.beam_size = 1000, .max_length_ratio = -3}).front();
    // All sentences of up to two labels; the last step ends longer ones without asking.
    double best = -std::numeric_limits<double>::infinity();
    std::vector<std::int64_t> best_labels;
    const auto consider = [&](const std::vector<std::int64_t>& labels) {
      const auto score = score_of(setup, labels, 0.4);
      if (score > best) best = score, best_labels = labels;
    };
    consider({});
    for (std::int64_t a = 1; a < kEnd; ++a) {
      consider({a});
      for (std::int64_t b = 1; b < kEnd; ++b) consider({a, b});
    }
    best_labels.push_back(kEnd);
    const auto complete = std::find_if(result.hypotheses.begin(), result.hypotheses.end(),
                                       [&](const Hypothesis& one) {
                                         auto units = one.units;
                                         if (units.size() == 4 && units[2] == kEnd)
                                           units.pop_back();  // ended twice
                                         return units == best_labels;
                                       });
    ASSERT_NE(complete, result.hypotheses.end()) << seed;
    EXPECT_NEAR(complete->score, best, 1e-4) << seed;
  }
}

TEST(BeamSearch, NeverExtendsTheBlankOrWhatDoesNotFit) {
  const auto setup = make_setup(9, {3});
  for (const std::int64_t beam : {4, 6, 7, 40}) {  // the vocabulary has 6 units
    const auto result = search(setup, hybrid(setup, 0.3), {.beam_size = beam}).front();
    ASSERT_FALSE(result.hypotheses.empty());
    for (const auto& hypothesis : result.hypotheses) {
      EXPECT_GT(hypothesis.score, -1e4) << beam;
      EXPECT_LT(hypothesis.score, 0) << beam;
      EXPECT_EQ(std::count(hypothesis.units.begin(), hypothesis.units.end(), models::kBlank), 0);
    }
  }
}

TEST(BeamSearch, ListsItsHypothesesBestFirstWithPartsThatAddUp) {
  const auto setup = make_setup(10, {7});
  auto scorers = hybrid(setup, 0.3);
  scorers.full.push_back({"length_bonus", 0.5, std::make_shared<LengthScorer>(kUnits)});
  const auto result = search(setup, scorers, {.beam_size = 4}).front();
  double last = std::numeric_limits<double>::infinity();
  for (const auto& one : result.hypotheses) {
    EXPECT_LE(one.score, last);
    last = one.score;
    EXPECT_NEAR(one.score,
                0.7 * one.parts.at("decoder") + 0.3 * one.parts.at("ctc") +
                    0.5 * one.parts.at("length_bonus"),
                1e-4);
    EXPECT_EQ(one.units.back(), kEnd);
  }
}

TEST(BeamSearch, StopsAtTheLimitThatTheRatioSets) {
  const auto setup = make_setup(11, {7});
  const auto steps = [&](double ratio) {
    return search(setup, hybrid(setup, 0.3), {.beam_size = 6, .max_length_ratio = ratio})
        .front()
        .steps;
  };
  EXPECT_EQ(steps(0), 7);
  EXPECT_EQ(steps(0.5), 3);
  EXPECT_EQ(steps(0.01), 1);
  EXPECT_EQ(steps(-2.9), 2);
  EXPECT_EQ(steps(-0.5), 0);
}

TEST(BeamSearch, GivesNothingForNoFramesOrNoStep) {
  auto setup = make_setup(12, {5, 4});
  setup.lengths[1] = 0;
  setup.valid[1] = false;
  const auto results = search(setup, hybrid(setup, 0.3), {.beam_size = 3});
  EXPECT_FALSE(results[0].hypotheses.empty());
  EXPECT_TRUE(results[1].hypotheses.empty());
  const auto alone = one_of(setup, 0);
  EXPECT_TRUE(search(alone, hybrid(alone, 0.3), {.beam_size = 3, .max_length_ratio = -0.5})
                  .front()
                  .hypotheses.empty());
}

TEST(BeamSearch, RefusesToSearchWithoutScoresOrBeam) {
  const auto setup = make_setup(13, {4});
  EXPECT_THROW(search(setup, {}, {.beam_size = 3}), ConfigError);
  EXPECT_THROW(search(setup, hybrid(setup, 0.3), {.beam_size = 0}), ConfigError);
}

TEST(BeamSearch, NamesTheUtteranceWhosePosteriorsAreNotNumbers) {
  for (const double ctc_weight : {0.1, 1.0}) {
    auto setup = make_setup(14, {6, 5});
    setup.log_probs[1][2] = std::numeric_limits<float>::quiet_NaN();
    try {
      search(setup, hybrid(setup, ctc_weight), {.beam_size = 3});
      FAIL() << "no error with a CTC weight of " << ctc_weight;
    } catch (const DataError& error) {
      EXPECT_NE(std::string(error.what()).find("clip1"), std::string::npos) << error.what();
      EXPECT_EQ(error.reason(), "nan");
    }
  }
}

}  // namespace
}  // namespace raven::decode
