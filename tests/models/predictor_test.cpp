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

void set(Predictor& predictor, const std::string& name, double value) {
  predictor->named_parameters()[name].fill_(value);
}

TEST(Predictor, OfMlpLayersWithBatchNormByHand) {
  torch::NoGradGuard no_grad;
  auto options = options_of(config::PredictorKind::kMlpBatchNorm, config::PredictorInput::kLinear);
  options.dim = 1;
  const auto x = torch::tensor({{{1.0F}, {3.0F}}});
  const auto none = torch::zeros({1, 2}, torch::kBool);
  Predictor two(options, 1, 1);
  set(two, "hidden.weight", 2), set(two, "hidden.bias", 1);
  set(two, "last_linear.weight", 10), set(two, "last_linear.bias", 0.5);
  // 3 and 7 have mean 5 and deviation 2: -1 and 1, of which ReLU leaves 0 and 1.
  auto y = two(x, none, ~none);
  EXPECT_NEAR(y[0][0].item<double>(), 0.5, 1e-5);
  EXPECT_NEAR(y[0][1].item<double>(), 10.5, 1e-4);
  options.mlp_layers = 3;
  Predictor three(options, 1, 1);
  for (const auto* layer : {"hidden", "last_linear"}) {
    for (const auto* part : {".weight", ".bias"})
      set(three, std::string(layer) + part,
          two->named_parameters()[std::string(layer) + part].item<double>());
  }
  set(three, "hidden_2.weight", -3), set(three, "hidden_2.bias", 4);
  // 0 and 1 become 4 and 1, with mean 2.5 and deviation 1.5: 1 and -1.
  y = three(x, none, ~none);
  EXPECT_NEAR(y[0][0].item<double>(), 10.5, 1e-4);
  EXPECT_NEAR(y[0][1].item<double>(), 0.5, 1e-4);
  options.kind = config::PredictorKind::kMlp;
  Predictor plain(options, 1, 1);
  EXPECT_EQ(names_of(three).size(), names_of(plain).size() + 10) << "two norms of five tensors";
}

/// A predictor whose blocks add nothing.
torch::Tensor without_branches(Predictor& predictor, const torch::Tensor& x,
                               const torch::Tensor& none) {
  const auto modules = predictor->named_modules();
  const auto [h, positions] = modules["embed"]->as<nn::InputEmbedding>()->forward(x, none);
  return modules["last_linear"]->as<nn::Linear>()->forward(
      modules["after_norm"]->as<torch::nn::LayerNorm>()->forward(h));
}

TEST(Predictor, BranchesAreScaledAndLeftOut) {
  torch::manual_seed(3);
  torch::NoGradGuard no_grad;
  auto options =
      options_of(config::PredictorKind::kTransformer, config::PredictorInput::kMaskToken);
  options.layer_scale = 0.25;
  Predictor scaled(options, 8, 8);
  for (const auto* name : {"encoders.0.gamma_ff", "encoders.0.gamma_mha"}) {
    EXPECT_TRUE((scaled->named_parameters()[name] == 0.25).all().item<bool>()) << name;
  }
  const auto x = torch::randn({2, 3, 8});
  const auto none = torch::zeros({2, 3}, torch::kBool);
  const auto bare = without_branches(scaled, x, none);
  EXPECT_FALSE(torch::allclose(scaled(x, none, ~none), bare));
  for (const auto* name : {"encoders.0.gamma_ff", "encoders.0.gamma_mha"}) set(scaled, name, 0);
  EXPECT_TRUE(torch::allclose(scaled(x, none, ~none), bare));
  options.layer_scale.reset();
  options.drop_path = 1 - 1e-6;
  Predictor dropped(options, 8, 8);
  EXPECT_EQ(names_of(dropped).size(), names_of(scaled).size() - 2);
  EXPECT_TRUE(torch::allclose(dropped(x, none, ~none), without_branches(dropped, x, none)));
  dropped->eval();
  EXPECT_FALSE(torch::allclose(dropped(x, none, ~none), without_branches(dropped, x, none)));
}

TEST(Predictor, RefusesToBeNothingBetweenDifferentWidths) {
  EXPECT_THROW(
      Predictor(options_of(config::PredictorKind::kNone, config::PredictorInput::kLinear), 8, 6),
      ConfigError);
}

}  // namespace
}  // namespace raven::models
