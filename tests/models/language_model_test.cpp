#include "raven/models/language_model.h"

#include <gtest/gtest.h>

#include "raven/nn/state_dict.h"
#include "support/tolerance.h"

namespace raven::models {
namespace {

LanguageModel small_model() {
  torch::manual_seed(1);
  LanguageModel model(
      config::LanguageModelConfig{.embed_dim = 4, .dim = 8, .heads = 2, .ffn_dim = 6, .blocks = 2},
      9);
  model->eval();
  return model;
}

TEST(LanguageModel, HasTheSizeAndNamesOfThePublishedOne) {
  const LanguageModel model(config::LanguageModelConfig{}, 1049);
  std::int64_t numbers = 0;
  for (const auto& parameter : model->parameters()) numbers += parameter.numel();
  EXPECT_EQ(numbers, 51'178'649);
  std::vector<std::string> names;
  for (const auto& [name, tensor] : nn::state_dict(*small_model())) names.push_back(name);
  EXPECT_EQ(
      (std::vector<std::string>(names.begin(), names.begin() + 6)),
      (std::vector<std::string>{"embed.weight", "encoder.embed.0.weight", "encoder.embed.0.bias",
                                "encoder.embed.1.weight", "encoder.embed.1.bias",
                                "encoder.encoders.0.self_attn.linear_q.weight"}));
  EXPECT_EQ(names.back(), "decoder.bias");
}

TEST(LanguageModel, SeesNeitherLaterUnitsNorUnitZero) {
  torch::NoGradGuard no_grad;
  auto model = small_model();
  const auto logits = model(torch::tensor({{8, 3, 0, 5}}));
  EXPECT_TRUE(
      torch::equal(model(torch::tensor({{8, 3, 0, 2}})).slice(1, 0, 3), logits.slice(1, 0, 3)));
  // Without positions, a unit that nobody sees might as well not be there.
  EXPECT_LE(tolerance::distance(model(torch::tensor({{8, 3, 5}}))[0][2], logits[0][3]), 1e-5);
}

TEST(LanguageModel, ContinuesTheHypothesesThatWereSelected) {
  torch::NoGradGuard no_grad;
  auto model = small_model();
  auto state = model->start();
  model->step(torch::tensor({{8}, {8}}), state);
  state.select(torch::tensor({0, 1}), torch::zeros({2, 2}, torch::kInt64));
  model->step(torch::tensor({{1, 2}, {0, 4}}), state);
  state.select(torch::tensor({1}), torch::tensor({{1, 0, 0}}));
  const auto actual = model->step(torch::tensor({{5, 6, 7}}), state);
  const auto expected =
      model(torch::tensor({{8, 4, 5}, {8, 0, 6}, {8, 0, 7}})).select(1, 2).log_softmax(-1);
  EXPECT_LE(tolerance::distance(actual[0], expected), 1e-5);
}

}  // namespace
}  // namespace raven::models
