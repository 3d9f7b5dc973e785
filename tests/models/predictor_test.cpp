#include "raven/models/predictor.h"

#include <gtest/gtest.h>

#include "models/small_models.h"
#include "raven/core/error.h"
#include "raven/nn/state_dict.h"

namespace raven::models {
namespace {

config::PredictorConfig options_of(config::PredictorKind kind, config::PredictorInput input) {
  auto options = small_model().predictors.of["v2a"];
  options.kind = kind;
  options.input = input;
  return options;
}

std::vector<std::string> names_of(Predictor& predictor) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : nn::state_dict(*predictor)) names.push_back(name);
  return names;
}

TEST(Predictor, HasTheSizeAndNamesOfThePublishedOne) {
  Predictor predictor(config::PredictorConfig{}, 512, 512);
  std::int64_t count = 0;
  for (const auto& parameter : predictor->parameters()) count += parameter.numel();
  EXPECT_EQ(count, 7'357'952);
  const auto names = names_of(predictor);
  EXPECT_EQ(names[0], "embed.mask_emb");
  EXPECT_EQ(names[1], "embed.linear.weight");
  EXPECT_EQ(names.back(), "last_linear.bias");
  Predictor linear(options_of(config::PredictorKind::kTransformer, config::PredictorInput::kLinear),
                   8, 8);
  EXPECT_EQ(names_of(linear)[0], "embed.0.weight");
}

TEST(Predictor, ReadsMaskedFramesFromContextOnly) {
  torch::manual_seed(1);
  torch::NoGradGuard no_grad;
  Predictor predictor(
      options_of(config::PredictorKind::kTransformer, config::PredictorInput::kMaskToken), 6, 4);
  predictor->eval();
  auto x = torch::randn({1, 5, 6});
  const auto masked = torch::tensor({0, 1, 1, 0, 0}, torch::kBool).unsqueeze(0);
  const auto valid = torch::ones({1, 5}, torch::kBool);
  const auto before = predictor(x, masked, valid);
  x.index_put_({masked}, -4.0);
  EXPECT_TRUE(torch::equal(predictor(x, masked, valid), before));
  Predictor linear(options_of(config::PredictorKind::kTransformer, config::PredictorInput::kLinear),
                   6, 4);
  linear->eval();
  const auto seen = linear(x, masked, valid);
  x.index_put_({masked}, 4.0);
  EXPECT_FALSE(torch::equal(linear(x, masked, valid), seen));
}

TEST(Predictor, ComesInSimplerKinds) {
  torch::manual_seed(2);
  torch::NoGradGuard no_grad;
  const auto x = torch::randn({2, 3, 8});
  const auto none = torch::zeros({2, 3}, torch::kBool);
  const auto make = [](config::PredictorKind kind) {
    return Predictor(options_of(kind, config::PredictorInput::kLinear), 8, 8);
  };
  EXPECT_TRUE(torch::equal(make(config::PredictorKind::kNone)(x, none, ~none), x));
  auto linear = make(config::PredictorKind::kLinear);
  const auto p = linear->named_parameters();
  EXPECT_TRUE(torch::equal(linear(x, none, ~none),
                           torch::linear(x, p["last_linear.weight"], p["last_linear.bias"])));
  auto mlp = make(config::PredictorKind::kMlp);
  const auto q = mlp->named_parameters();
  EXPECT_TRUE(torch::equal(
      mlp(x, none, ~none),
      torch::linear(torch::relu(torch::linear(x, q["hidden.weight"], q["hidden.bias"])),
                    q["last_linear.weight"], q["last_linear.bias"])));
}

TEST(Predictor, RefusesToBeNothingBetweenDifferentWidths) {
  EXPECT_THROW(
      Predictor(options_of(config::PredictorKind::kNone, config::PredictorInput::kLinear), 8, 6),
      ConfigError);
}

}  // namespace
}  // namespace raven::models
