// Searches against tests/parity/data/beam_search.json.
#include "raven/decode/beam_search.h"

#include <gtest/gtest.h>

#include <optional>

#include "raven/models/recognizer.h"
#include "raven/nn/linear.h"
#include "support/formula.h"
#include "support/parity.h"
#include "support/tolerance.h"

namespace raven {
namespace {

using nlohmann::json;

struct Model {
  models::CtcHead ctc{nullptr};
  nn::TransformerDecoder decoder{nullptr};
  models::LanguageModel language_model{nullptr};
  std::int64_t units = 0;
};

/// Multiplies whole tensors and adds to single elements, as the file says.
void change(nn::StateDict state, const json& changes) {
  torch::NoGradGuard no_grad;
  std::map<std::string, torch::Tensor> by_name(state.begin(), state.end());
  if (changes.contains("scale")) {
    for (const auto& [name, factor] : changes.at("scale").items()) {
      by_name.at(name).mul_(factor.get<double>());
    }
  }
  if (changes.contains("add")) {
    for (const auto& change : changes.at("add")) {
      by_name.at(change.at(0)).view(-1)[change.at(1).get<std::int64_t>()] +=
          change.at(2).get<double>();
    }
  }
}

nn::StateDict prefixed(const std::string& prefix, const torch::nn::Module& module) {
  nn::StateDict state;
  for (const auto& [name, tensor] : nn::state_dict(module)) {
    state.emplace_back(prefix + name, tensor);
  }
  return state;
}

Model make_model(const json& content) {
  Model model;
  model.units = content.at("vocab");
  const auto encoder_dim = content.at("encoder_dim").get<std::int64_t>();
  const auto& sizes = content.at("decoder");
  model.ctc = models::CtcHead(encoder_dim, model.units, 0.0);
  model.decoder = nn::TransformerDecoder(config::DecoderConfig{.dim = sizes.at("dim"),
                                                               .heads = sizes.at("heads"),
                                                               .ffn_dim = sizes.at("ffn"),
                                                               .blocks = sizes.at("blocks"),
                                                               .dropout = 0},
                                         encoder_dim, model.units);
  const auto salt = content.at("salt").get<std::string>();
  formula::fill(*model.ctc, salt, "ctc.");
  formula::fill(*model.decoder, salt, "decoder.");
  auto state = prefixed("ctc.", *model.ctc);
  for (const auto& item : prefixed("decoder.", *model.decoder)) state.push_back(item);
  change(state, content);

  const auto& lm = content.at("lm");
  model.language_model =
      models::LanguageModel(config::LanguageModelConfig{.embed_dim = lm.at("embed"),
                                                        .dim = lm.at("dim"),
                                                        .heads = lm.at("heads"),
                                                        .ffn_dim = lm.at("ffn"),
                                                        .blocks = lm.at("blocks")},
                            model.units);
  formula::fill(*model.language_model, lm.at("salt"), "");
  change(nn::state_dict(*model.language_model), lm);
  model.ctc->eval(), model.decoder->eval(), model.language_model->eval();
  return model;
}

torch::Tensor make_input(const json& content) {
  return formula::noise(
             content.at("salt").get<std::string>() + content.at("name").get<std::string>(),
             content.at("shape").get<std::vector<std::int64_t>>(), content.at("centre"),
             content.at("spread"))
      .unsqueeze(0);
}

struct Golden {
  json file;
  std::map<std::string, Model> models;
  std::map<std::string, torch::Tensor> inputs;  // (1, T, E)
};

const Golden& golden() {
  static const Golden loaded = [] {
    Golden result{.file = parity::json("beam_search.json"), .models = {}, .inputs = {}};
    for (const auto& [name, content] : result.file.at("models").items()) {
      result.models.emplace(name, make_model(content));
    }
    for (const auto& [name, content] : result.file.at("inputs").items()) {
      result.inputs.emplace(name, make_input(content));
    }
    return result;
  }();
  return loaded;
}

Model model_of(const std::string& input) {
  return golden().models.at(golden().file.at("inputs").at(input).at("model"));
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
  for (const auto& [name, content] : golden().file.at("inputs").items()) {
    auto model = model_of(name);
    const auto& encoded = golden().inputs.at(name);
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

decode::SearchScorers scorers_of(Model& model, const torch::Tensor& encoded, const json& search) {
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
  const auto& searches = golden().file.at("searches");
  ASSERT_FALSE(searches.empty());
  for (const auto& search : searches) {
    const auto input = search.at("input").get<std::string>();
    auto model = model_of(input);
    std::optional<nn::PackedWeights> packed;
    if (with_packed_weights) packed.emplace(*model.decoder);
    const auto& encoded = golden().inputs.at(input);
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
