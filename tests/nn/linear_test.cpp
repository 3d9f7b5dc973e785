#include "raven/nn/linear.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "nn/kernels/instruction_set.h"
#include "nn/kernels/packed_product_kernels.h"
#include "raven/core/error.h"
#include "raven/nn/transformer.h"
#include "support/autocast.h"
#include "support/tolerance.h"

namespace raven::nn {
namespace {

/// x W^T + b in double precision.
torch::Tensor reference(const Linear& layer, const torch::Tensor& x) {
  auto y = torch::matmul(x.to(torch::kFloat64), layer->weight.to(torch::kFloat64).t());
  return layer->bias.defined() ? y + layer->bias.to(torch::kFloat64) : y;
}

bool close(const torch::Tensor& y, const torch::Tensor& expected) {
  const auto tolerance = tolerance::relative(torch::kFloat32);
  return torch::allclose(y.to(torch::kFloat64), expected, tolerance, tolerance);
}

TEST(Linear, IsTheProductAndTheBiasForAnyShape) {
  torch::manual_seed(3);
  const Linear with_bias(5, 7), without(torch::nn::LinearOptions(5, 7).bias(false));
  const auto x = torch::randn({2, 3, 5});
  for (const auto& input :
       {x, x[0], x[0][0], x.unsqueeze(0), x.transpose(0, 1), torch::randn({2, 5, 3}).mT()}) {
    for (const auto& layer : {with_bias, without}) {
      const auto y = Linear(layer)->forward(input);
      EXPECT_EQ(y.size(-1), 7);
      EXPECT_LT((y - reference(layer, input)).abs().max().item<double>(), 1e-6);
    }
  }
}

TEST(Linear, HasTheGradientsOfItsFormula) {
  torch::manual_seed(4);
  Linear layer(5, 7);
  layer->to(torch::kFloat64);
  const auto weights = torch::randn({2, 3, 7}, torch::kFloat64);
  const auto x = torch::randn({2, 3, 5}, torch::kFloat64).requires_grad_();
  (layer->forward(x) * weights).sum().backward();
  const auto flat = weights.flatten(0, 1);
  EXPECT_LT((x.grad() - weights.matmul(layer->weight)).abs().max().item<double>(), 1e-12);
  EXPECT_LT((layer->weight.grad() - flat.t().mm(x.flatten(0, 1))).abs().max().item<double>(),
            1e-12);
  EXPECT_LT((layer->bias.grad() - flat.sum(0)).abs().max().item<double>(), 1e-12);
}

TEST(Linear, HasTheParametersOfTheLibrarysLayer) {
  Linear layer(5, 7);
  const torch::nn::Linear library(5, 7);
  const auto own = layer->named_parameters(), theirs = library->named_parameters();
  EXPECT_EQ(own.keys(), theirs.keys());
  for (const auto& item : own) EXPECT_EQ(item.value().sizes(), theirs[item.key()].sizes());
}

/// A feed-forward module's output and gradients, by name, in bfloat16.
std::map<std::string, torch::Tensor> trained_in_bf16(bool all_at_once) {
  torch::manual_seed(5);
  FeedForward module(16, 32, /*dropout=*/0);
  const auto x = torch::randn({2, 3, 16}).requires_grad_();
  std::map<std::string, torch::Tensor> result;
  {
    const Bf16Scope autocast;
    std::optional<WorkingWeights> working;
    if (all_at_once) working.emplace(*module);
    result["output"] = module(x);
  }
  result["output"].to(torch::kFloat32).square().sum().backward();
  result["x"] = x.grad();
  for (const auto& item : module->named_parameters()) result[item.key()] = item.value().grad();
  return result;
}

TEST(WorkingWeights, GiveTheBitsThatCastingOneByOneGives) {
  const auto expected = trained_in_bf16(false), found = trained_in_bf16(true);
  ASSERT_EQ(found.size(), 6U);
  for (const auto& [name, tensor] : expected) {
    EXPECT_EQ(found.at(name).scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(torch::equal(found.at(name), tensor)) << name;
  }
  EXPECT_EQ(expected.at("output").scalar_type(), torch::kBFloat16);
  EXPECT_EQ(expected.at("w_1.weight").scalar_type(), torch::kFloat32);
}

TEST(WorkingWeights, AreUsedOnlyWhileTheyLive) {
  torch::manual_seed(6);
  const torch::NoGradGuard no_grad;
  Linear layer(4, 4);
  const auto x = torch::randn({1, 4});
  const Bf16Scope autocast;
  const auto first = layer(x);
  {
    const WorkingWeights working(*layer);
    layer->weight.zero_();
    at::autocast::clear_cache();  // which holds a copy, too
    EXPECT_TRUE(torch::equal(layer(x), first));
  }
  at::autocast::clear_cache();
  EXPECT_TRUE(torch::equal(layer(x), layer->bias.to(torch::kBFloat16).unsqueeze(0)));
}

TEST(WorkingWeights, AreNotMadeWithoutAutocast) {
  torch::manual_seed(7);
  const torch::NoGradGuard no_grad;
  Linear layer(4, 4);
  const auto x = torch::randn({1, 4});
  const WorkingWeights working(*layer);
  layer->weight.zero_();
  EXPECT_TRUE(torch::equal(layer(x), layer->bias.unsqueeze(0)));
}

TEST(WorkingWeights, AreNotMadeOfFrozenLayersInTraining) {
  torch::manual_seed(8);
  Linear layer(4, 4);
  for (auto& parameter : layer->parameters()) parameter.requires_grad_(false);
  const auto x = torch::randn({1, 4});
  const Bf16Scope autocast;
  const WorkingWeights working(*layer);
  layer->weight.zero_();
  EXPECT_TRUE(torch::equal(layer(x), layer->bias.to(torch::kBFloat16).unsqueeze(0)));
}

TEST(WorkingWeights, OfOneLayerAreMadeOnce) {
  const Linear layer(4, 4);
  const Bf16Scope autocast;
  const WorkingWeights outer(*layer);
  EXPECT_THROW(const WorkingWeights again(*layer), InternalError);
}

TEST(WorkingWeights, LeaveLayersThatWereNotUsedWithoutAGradient) {
  FeedForward used(4, 4, 0), idle(4, 4, 0);
  torch::nn::ModuleList both;
  both->push_back(used);
  both->push_back(idle);
  torch::Tensor output;
  {
    const Bf16Scope autocast;
    const WorkingWeights working(*both);
    output = used(torch::randn({1, 2, 4}));
  }
  output.to(torch::kFloat32).sum().backward();
  for (const auto& parameter : used->parameters()) EXPECT_TRUE(parameter.grad().defined());
  for (const auto& parameter : idle->parameters()) EXPECT_FALSE(parameter.grad().defined());
}

TEST(PackedWeights, GiveTheProductForAnyShape) {
  torch::manual_seed(8);
  const torch::NoGradGuard no_grad;
  for (const std::int64_t inputs : {1, 5, 64}) {
    for (const std::int64_t outputs : {1, 7, 16, 17, 33, 70}) {
      Linear with_bias(inputs, outputs),
          without(torch::nn::LinearOptions(inputs, outputs).bias(false));
      const PackedWeights packed(*with_bias), packed_too(*without);
      for (const std::int64_t rows : {0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 25, 512, 513}) {
        const auto x = torch::randn({rows, inputs});
        for (auto& layer : {with_bias, without}) {
          const auto y = Linear(layer)->forward(x), expected = reference(layer, x);
          ASSERT_EQ(y.sizes(), expected.sizes());
          EXPECT_TRUE(close(y, expected))
              << rows << " rows, " << inputs << " inputs, " << outputs << " outputs";
        }
      }
    }
  }
}

TEST(PackedWeights, TakeInputsOfAnyLayout) {
  torch::manual_seed(9);
  const torch::NoGradGuard no_grad;
  Linear layer(5, 7);
  const PackedWeights packed(*layer);
  const auto x = torch::randn({2, 3, 5});
  for (const auto& input :
       {x, x[0], x[0][0], x.unsqueeze(0), x.transpose(0, 1), torch::randn({2, 5, 3}).mT()}) {
    const auto y = layer(input), expected = reference(layer, input);
    ASSERT_EQ(y.sizes(), expected.sizes());
    EXPECT_TRUE(close(y, expected)) << input.sizes();
  }
  EXPECT_THROW(layer(torch::randn({3, 4})), InternalError);
}

TEST(PackedWeights, GiveARowTheSameBitsAmongOthersAsAlone) {
  torch::manual_seed(10);
  const torch::NoGradGuard no_grad;
  Linear layer(100, 50);
  const PackedWeights packed(*layer);
  const auto x = torch::randn({29, 100});
  const auto together = layer(x);
  for (std::int64_t i = 0; i < x.size(0); ++i) {
    EXPECT_TRUE(torch::equal(layer(x[i]), together[i])) << i;
  }
}

/// Loops compiled for older processors give what those for the newest give, up to rounding.
TEST(PackedWeights, HaveTheSameProductForEveryProcessor) {
  std::vector<const kernels::PackedProduct*> products = {&kernels::kPackedProductGeneric};
  const auto best = kernels::best_instruction_set();
  if (best >= kernels::InstructionSet::kAvx2) products.push_back(&kernels::kPackedProductAvx2);
  if (best >= kernels::InstructionSet::kAvx512) products.push_back(&kernels::kPackedProductAvx512);
  EXPECT_EQ(products.back(), &kernels::packed_product());
  torch::manual_seed(11);
  constexpr std::int64_t kInputs = 37, kOutputs = 75;
  const auto weight = torch::randn({kOutputs, kInputs}), bias = torch::randn({kOutputs});
  for (const auto* product : products) {
    const auto width = product->panel_width, panels = (kOutputs + width - 1) / width;
    const auto missing = panels * width - kOutputs;
    const auto packed = torch::constant_pad_nd(weight, {0, 0, 0, missing})
                            .view({panels, width, kInputs})
                            .transpose(1, 2)
                            .contiguous();
    const auto biases = torch::constant_pad_nd(bias, {0, missing});
    const kernels::PackedLayer layer{.panels = packed.data_ptr<float>(),
                                     .bias = biases.data_ptr<float>(),
                                     .inputs = kInputs,
                                     .outputs = kOutputs};
    for (std::int64_t rows = 0; rows <= 26; ++rows) {
      const auto x = torch::randn({rows, kInputs});
      const auto expected = torch::linear(x.to(torch::kFloat64), weight.to(torch::kFloat64),
                                          bias.to(torch::kFloat64));
      auto y = torch::full({rows, kOutputs}, 7.0F);
      product->multiply(x.data_ptr<float>(), rows, layer, 0, 1, y.data_ptr<float>());
      EXPECT_TRUE((y.slice(1, width) == 7).all().item<bool>()) << width << " " << rows;
      product->multiply(x.data_ptr<float>(), rows, layer, 1, panels, y.data_ptr<float>());
      EXPECT_TRUE(close(y, expected)) << width << " " << rows;
    }
  }
}

TEST(PackedWeights, AreUsedOnlyWhileTheyLiveAndWithoutGradients) {
  torch::manual_seed(12);
  Linear layer(4, 4);
  const auto x = torch::randn({1, 4});
  const auto before = layer(x).detach();
  const auto bias = layer->bias.detach().unsqueeze(0);
  {
    const PackedWeights packed(*layer);
    torch::NoGradGuard no_grad;
    layer->weight.zero_();
    EXPECT_TRUE(torch::allclose(layer(x), before));
    const at::AutoGradMode with_gradients(true);
    EXPECT_TRUE(torch::equal(layer(x), bias));
    EXPECT_TRUE(layer(x).requires_grad());
  }
  const torch::NoGradGuard no_grad;
  EXPECT_TRUE(torch::equal(layer(x), bias));
}

TEST(PackedWeights, LeaveReducedPrecisionToTheLibrary) {
  torch::manual_seed(13);
  const torch::NoGradGuard no_grad;
  Linear layer(4, 4);
  const PackedWeights packed(*layer);
  const Bf16Scope autocast;
  EXPECT_EQ(layer(torch::randn({1, 4})).scalar_type(), torch::kBFloat16);
}

TEST(PackedWeights, AreNotMadeOfOtherTypes) {
  torch::manual_seed(14);
  const torch::NoGradGuard no_grad;
  Linear layer(4, 4);
  layer->to(torch::kFloat64);
  const PackedWeights packed(*layer);
  EXPECT_EQ(layer(torch::randn({1, 4}, torch::kFloat64)).scalar_type(), torch::kFloat64);
  EXPECT_THROW(layer(torch::randn({1, 4})), c10::Error);  // as without
}

TEST(PackedWeights, OfOneLayerAreMadeOnce) {
  const Linear layer(4, 4);
  const PackedWeights outer(*layer);
  EXPECT_THROW(const PackedWeights again(*layer), InternalError);
}

}  // namespace
}  // namespace raven::nn
