#include "raven/train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace raven::train {
namespace {

NamedTensors two_parameters() {
  torch::manual_seed(3);
  return {{"weight", torch::randn({17, 9}).requires_grad_()},
          {"bias", torch::randn({5}).requires_grad_()}};
}

void fill_gradients(const NamedTensors& parameters, double size) {
  for (const auto& [name, tensor] : parameters) {
    auto parameter = tensor;
    parameter.mutable_grad() = size * torch::randn_like(tensor).detach();
  }
}

const auto kGood = torch::zeros({});

/// The rate of the only group.
std::vector<torch::Tensor> at(double rate) { return {torch::tensor(rate, torch::kFloat64)}; }

TEST(AdamW, MovesAsTorchsOwn) {
  const auto parameters = two_parameters();
  std::vector<torch::Tensor> copies;
  for (const auto& [name, tensor] : parameters) {
    copies.push_back(tensor.detach().clone().requires_grad_());
  }
  AdamW ours("set", parameters, {.max_grad_norm = 1e30});
  torch::optim::AdamW theirs(
      copies, torch::optim::AdamWOptions(1e-2).betas({0.9, 0.999}).eps(1e-8).weight_decay(0.04));
  for (int step = 0; step < 20; ++step) {
    fill_gradients(parameters, 1.0);
    for (std::size_t i = 0; i < copies.size(); ++i) {
      copies[i].mutable_grad() = parameters[i].second.grad().clone();
    }
    ours.step(at(1e-2), ours.grad_norm(), kGood);
    theirs.step();
  }
  for (std::size_t i = 0; i < copies.size(); ++i) {
    EXPECT_TRUE(torch::allclose(parameters[i].second, copies[i], 1e-6, 1e-6))
        << parameters[i].first;
  }
}

TEST(AdamW, DecaysEveryParameterAlsoWithoutGradient) {
  const auto parameters = two_parameters();
  const auto before = parameters[1].second.detach().clone();
  AdamW optimizer("set", parameters, {.weight_decay = 0.5});
  optimizer.zero_grad();
  optimizer.step(at(0.1), optimizer.grad_norm(), kGood);
  EXPECT_TRUE(torch::allclose(parameters[1].second, before * (1 - 0.1 * 0.5)));
}

TEST(AdamW, SharesOfItUpdateWhatOneWouldAndKeepTheirPart) {
  const auto whole = two_parameters(), shared = two_parameters();
  AdamW alone("set", whole, {});
  const std::vector<ParameterGroup> groups = {{.name = "set", .parameters = shared}};
  AdamW first("set", groups, {}, {.rank = 0, .ranks = 2});
  AdamW second("set", groups, {}, {.rank = 1, .ranks = 2});
  EXPECT_EQ(first.owners(), (std::vector<std::int64_t>{0, 1}));
  for (int step = 0; step < 3; ++step) {
    fill_gradients(whole, 1.0);
    for (std::size_t i = 0; i < whole.size(); ++i) {
      auto parameter = shared[i].second;
      parameter.mutable_grad() = whole[i].second.grad().clone();  // clipping scales them in place
    }
    alone.step(at(0.1), alone.grad_norm(), kGood);
    const auto norm = first.grad_norm();
    first.step(at(0.1), norm, kGood);
    second.step(at(0.1), norm, kGood);
  }
  for (std::size_t i = 0; i < whole.size(); ++i)
    EXPECT_TRUE(torch::equal(whole[i].second, shared[i].second)) << whole[i].first;
  const auto of_alone = alone.state(), of_first = first.state(), of_second = second.state();
  for (std::size_t i = 1; i < of_alone.size(); ++i) {
    EXPECT_EQ(of_first[i].first, of_alone[i].first);
    EXPECT_NE(of_first[i].second.is_meta(), of_second[i].second.is_meta());
    const auto& kept = of_first[i].second.is_meta() ? of_second[i].second : of_first[i].second;
    EXPECT_TRUE(torch::equal(kept, of_alone[i].second)) << of_alone[i].first;
  }
}

TEST(AdamW, GradNormIsTheNormOfAllGradients) {
  NamedTensors parameters{{"a", torch::zeros({2}).requires_grad_()},
                          {"b", torch::zeros({1}).requires_grad_()}};
  parameters[0].second.mutable_grad() = torch::tensor({3.0F, 0.0F});
  parameters[1].second.mutable_grad() = torch::tensor({4.0F});
  const AdamW optimizer("set", parameters, {});
  EXPECT_FLOAT_EQ(optimizer.grad_norm().item<float>(), 5.0F);
}

TEST(AdamW, ClipsAsAScalingOfTheGradients) {
  // Gradients (3, 4) of norm 5, clipped at 2.5, are (1.5, 2): the first averages show it.
  NamedTensors parameters{{"a", torch::zeros({2}).requires_grad_()}};
  parameters[0].second.mutable_grad() = torch::tensor({3.0F, 4.0F});
  AdamW optimizer("set", parameters, {.beta1 = 0.5, .max_grad_norm = 2.5});
  optimizer.step(at(0.1), optimizer.grad_norm(), kGood);
  const auto exp_avg = optimizer.state()[1].second;
  EXPECT_TRUE(torch::allclose(exp_avg, torch::tensor({0.75F, 1.0F}), 1e-5));
}

TEST(AdamW, LeavesSmallGradientsAlone) {
  NamedTensors parameters{{"a", torch::zeros({2}).requires_grad_()}};
  parameters[0].second.mutable_grad() = torch::tensor({0.3F, 0.4F});
  AdamW optimizer("set", parameters, {.beta1 = 0.5, .max_grad_norm = 2.5});
  optimizer.step(at(0.1), optimizer.grad_norm(), kGood);
  EXPECT_TRUE(torch::equal(optimizer.state()[1].second, torch::tensor({0.15F, 0.2F})));
}

TEST(AdamW, ABadStepChangesNothing) {
  const auto parameters = two_parameters();
  AdamW optimizer("set", parameters, {});
  fill_gradients(parameters, 1.0);
  optimizer.step(at(1e-2), optimizer.grad_norm(), kGood);
  std::vector<torch::Tensor> before;
  for (const auto& [name, tensor] : optimizer.state()) before.push_back(tensor.clone());
  const auto weight = parameters[0].second.detach().clone();

  fill_gradients(parameters, 1.0);
  parameters[0].second.grad().view({-1})[3] = std::numeric_limits<float>::quiet_NaN();
  const auto norm = optimizer.grad_norm();
  EXPECT_TRUE(std::isnan(norm.item<float>()));
  optimizer.step(at(1e-2), norm, torch::ones({}));

  EXPECT_TRUE(torch::equal(parameters[0].second, weight));
  const auto after = optimizer.state();
  for (std::size_t i = 0; i < after.size(); ++i) {
    EXPECT_TRUE(torch::equal(after[i].second, before[i])) << after[i].first;
  }
}

TEST(AdamW, ContinuesExactlyFromItsState) {
  const auto parameters = two_parameters();
  AdamW optimizer("set", parameters, {});
  fill_gradients(parameters, 1.0);
  optimizer.step(at(1e-2), optimizer.grad_norm(), kGood);

  NamedTensors copies;
  for (const auto& [name, tensor] : parameters) {
    copies.emplace_back(name, tensor.detach().clone().requires_grad_());
  }
  AdamW restored("set", copies, {});
  const auto saved = optimizer.state();
  auto empty = restored.state();
  for (std::size_t i = 0; i < saved.size(); ++i) {
    EXPECT_EQ(saved[i].first, empty[i].first);
    empty[i].second.copy_(saved[i].second);
  }
  fill_gradients(parameters, 1.0);
  for (std::size_t i = 0; i < copies.size(); ++i) {
    copies[i].second.mutable_grad() = parameters[i].second.grad().clone();
  }
  optimizer.step(at(1e-2), optimizer.grad_norm(), kGood);
  restored.step(at(1e-2), restored.grad_norm(), kGood);
  EXPECT_TRUE(torch::equal(parameters[0].second, copies[0].second));
}

}  // namespace
}  // namespace raven::train
