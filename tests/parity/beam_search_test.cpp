// Searches against tests/parity/data/beam_search.json.
#include "raven/decode/beam_search.h"

#include <gtest/gtest.h>

#include <optional>

#include "raven/nn/linear.h"
#include "support/golden_search.h"
#include "support/tolerance.h"

namespace raven {
namespace {

using nlohmann::json;

struct Searches {
  json file;
  std::map<std::string, golden::SearchModel> models;
  std::map<std::string, torch::Tensor> inputs;  // (1, T, E)
};

const Searches& searches() {
  static const Searches loaded = [] {
    Searches result{.file = parity::json("beam_search.json"), .models = {}, .inputs = {}};
    for (const auto& [name, content] : result.file.at("models").items()) {
      result.models.emplace(name, golden::search_model(content));
    }
    for (const auto& [name, content] : result.file.at("inputs").items()) {
      result.inputs.emplace(name, golden::search_input(content));
    }
    return result;
  }();
  return loaded;
}

golden::SearchModel model_of(const std::string& input) {
  return searches().models.at(searches().file.at("inputs").at(input).at("model"));
}

void expect_first(const torch::Tensor& log_probs, const json& expected, const std::string& where) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(log_probs[static_cast<std::int64_t>(i)].item<double>(), expected[i].get<double>(),
                tolerance::decoding::kSearch)
        << where << " " << i;
  }
}

TEST(BeamSearchParity, StartsFromTheSameLogProbabilities) {
  torch::NoGradGuard no_grad;
  for (const auto& [name, content] : searches().file.at("inputs").items()) {
    auto model = model_of(name);
    const auto& encoded = searches().inputs.at(name);
    const auto units =
        torch::tensor({{model.units - 1, std::int64_t{3}, std::int64_t{7}, std::int64_t{3}}});
    const auto& after = content.at("after_sos_3_7_3");
    expect_first(model.decoder->forward(units, encoded, {}).log_softmax(-1)[0][3],
                 after.at("decoder"), name + " decoder");
    expect_first(model.language_model(units).log_softmax(-1)[0][3], after.at("lm"), name + " lm");
    expect_first(model.ctc(encoded)[0][0], content.at("ctc_log_posteriors").at("first"),
                 name + " ctc");
  }
}

decode::SearchScorers scorers_of(golden::SearchModel& model, const torch::Tensor& encoded,
                                 const json& search) {
  const auto ctc_weight = search.at("ctc").get<double>(), lm_weight = search.at("lm").get<double>(),
             bonus = search.at("penalty").get<double>();
  decode::SearchScorers scorers;
  if (ctc_weight < 1) {
    scorers.proposer = 0;
    scorers.full.push_back(
        {"decoder", 1 - ctc_weight,
         std::make_shared<decode::AttentionScorer>(model.decoder, encoded, torch::Tensor{})});
  }
  if (lm_weight != 0) {
    scorers.full.push_back(
        {"lm", lm_weight, std::make_shared<decode::LanguageModelScorer>(model.language_model)});
  }
  if (bonus != 0) {
    scorers.full.push_back(
        {"length_bonus", bonus, std::make_shared<decode::LengthScorer>(model.units)});
  }
  if (ctc_weight > 0) {
    scorers.ctc = decode::CtcPrefixScore(model.ctc(encoded), {}, model.units - 1);
    scorers.ctc_weight = ctc_weight;
  }
  return scorers;
}

void expect_golden_searches(bool with_packed_weights) {
  torch::NoGradGuard no_grad;
  const auto& all = searches().file.at("searches");
  ASSERT_FALSE(all.empty());
  for (const auto& search : all) {
    const auto input = search.at("input").get<std::string>();
    auto model = model_of(input);
    std::optional<nn::PackedWeights> packed;
    if (with_packed_weights) packed.emplace(*model.decoder);
    const auto& encoded = searches().inputs.at(input);
    auto scorers = scorers_of(model, encoded, search);
    const auto result = decode::beam_search(scorers,
                                            {.beam_size = search.at("beam"),
                                             .max_length_ratio = search.at("maxlenratio"),
                                             .end_unit = model.units - 1},
                                            {encoded.size(1)}, {input})
                            .front();
    auto where = search;
    where.erase("nbest");
    EXPECT_EQ(result.hypotheses.size(), search.at("finished").get<std::size_t>()) << where;
    EXPECT_EQ(result.steps, search.at("iterations").get<std::int64_t>()) << where;
    const auto& expected = search.at("nbest");
    ASSERT_GE(result.hypotheses.size(), expected.size()) << where;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const auto& actual = result.hypotheses[i];
      EXPECT_EQ(actual.units, expected[i].at("ids").get<std::vector<std::int64_t>>())
          << where << " " << i;
      const auto score = expected[i].at("score").get<double>();
      EXPECT_NEAR(actual.score, score, tolerance::decoding::kSearch + parity::rounding(score))
          << where << " " << i;
      EXPECT_EQ(actual.parts.size(), expected[i].at("scores").size()) << where << " " << i;
      for (const auto& [name, part] : expected[i].at("scores").items()) {
        EXPECT_NEAR(actual.parts.at(name), part.get<double>(),
                    tolerance::decoding::kSearch + parity::rounding(part.get<double>()))
            << where << " " << i << " " << name;
      }
    }
  }
}

TEST(BeamSearchParity, FindsTheHypothesesAndScores) { expect_golden_searches(false); }

TEST(BeamSearchParity, FindsTheSameWithPackedWeights) { expect_golden_searches(true); }

}  // namespace
}  // namespace raven
