#include "raven/models/feature_loss.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/autocast.h"

namespace raven::models {
namespace {

using config::LossKind;

struct Frames {
  torch::Tensor prediction, target, where;
};

/// Two frames of width 2 to be counted, and a third one that is not.
Frames frames() {
  return {.prediction = torch::tensor({{{3.0F, 4.0F}, {0.0F, 2.0F}, {9.0F, -7.0F}}}),
          .target = torch::tensor({{{1.0F, 0.0F}, {0.0F, 5.0F}, {-6.0F, 8.0F}}}),
          .where = torch::tensor({{true, true, false}})};
}

double loss_of(const config::LossConfig& options, const Frames& f) {
  return feature_loss(options, f.prediction, f.target, f.where).item<double>();
}

TEST(FeatureLoss, OfCosinesByHand) {
  EXPECT_NEAR(loss_of({}, frames()), -(0.6 + 1.0), 1e-6);
  const auto all = cosines(frames().prediction, frames().target);
  EXPECT_NEAR(all[0][0].item<double>(), 0.6, 1e-6);
  EXPECT_NEAR(all[0][1].item<double>(), 1.0, 1e-6);
}

TEST(FeatureLoss, OfSquaresByHand) {
  // Differences (2, 4) and (0, -3): (4 + 16) / 2 and (0 + 9) / 2.
  EXPECT_NEAR(loss_of({.kind = LossKind::kMeanSquared}, frames()), 10 + 4.5, 1e-5);
}

TEST(FeatureLoss, OfSmoothL1ByHand) {
  config::LossConfig options{.kind = LossKind::kSmoothL1};
  EXPECT_NEAR(loss_of(options, frames()), (1.5 + 3.5) / 2 + 2.5 / 2, 1e-6);  // beta 1
  options.beta = 5;  // all below it: d^2 / 10
  EXPECT_NEAR(loss_of(options, frames()), (0.4 + 1.6) / 2 + 0.9 / 2, 1e-6);
  options.beta = 3.5;  // 2 and 3 below, 4 above: 4 - 1.75
  EXPECT_NEAR(loss_of(options, frames()), (4 / 7.0 + 2.25) / 2 + 9 / 7.0 / 2, 1e-6);
}

TEST(FeatureLoss, ContrastiveByHand) {
  // Cosines with both targets: (0.6, 0.8) and (0, 1); of 0.5 they make (1.2, 1.6) and (0, 2).
  config::LossConfig options{.kind = LossKind::kContrastive};
  options.temperature = 0.5;
  const double first = std::log(std::exp(1.2) + std::exp(1.6)) - 1.2,
               second = std::log(1 + std::exp(2.0)) - 2;
  EXPECT_NEAR(first + second, 1.039944, 1e-5);
  EXPECT_NEAR(loss_of(options, frames()), first + second, 1e-5);
  auto alone = frames();
  alone.where[0][1] = false;  // nothing to tell it from
  EXPECT_NEAR(loss_of(options, alone), 0, 1e-6);
  options.temperature.reset();  // 0.1
  EXPECT_NEAR(loss_of(options, frames()),
              std::log(1 + std::exp(2.0)) + std::log(1 + std::exp(-10.0)), 1e-5);
}

TEST(FeatureLoss, ContrastiveNegativesComeFromAllUtterancesOfTheBatch) {
  const config::LossConfig options{.kind = LossKind::kContrastive};
  const auto f = frames();
  const auto one_each = [](const torch::Tensor& x) {  // (1, 3, ...) -> (3, 1, ...)
    return x.transpose(0, 1).contiguous();
  };
  EXPECT_DOUBLE_EQ(loss_of(options, f), loss_of(options, {.prediction = one_each(f.prediction),
                                                          .target = one_each(f.target),
                                                          .where = one_each(f.where)}));
}

TEST(FeatureLoss, GivesNoGradientToFramesThatAreNotCounted) {
  for (const auto& [kind, name] : config::EnumNames<LossKind>::kNames) {
    auto f = frames();
    f.prediction.requires_grad_();
    feature_loss({.kind = kind}, f.prediction, f.target, f.where).backward();
    const auto& gradient = f.prediction.grad();
    EXPECT_GT(gradient[0][0].abs().sum().item<double>(), 0) << name;
    EXPECT_EQ(gradient[0][2].abs().sum().item<double>(), 0) << name;
    // Where nothing is counted there is no loss, and nothing becomes NaN.
    f.prediction.mutable_grad() = torch::Tensor();
    const auto none = feature_loss({.kind = kind}, f.prediction, f.target, f.where & false);
    none.backward();
    EXPECT_EQ(none.item<double>(), 0) << name;
    EXPECT_EQ(f.prediction.grad().abs().sum().item<double>(), 0) << name;
  }
}

TEST(FeatureLoss, IsFloat32UnderAutocast) {
  torch::manual_seed(1);
  const Frames f{.prediction = torch::randn({2, 5, 16}),
                 .target = torch::randn({2, 5, 16}),
                 .where = torch::ones({2, 5}, torch::kBool)};
  for (const auto& [kind, name] : config::EnumNames<LossKind>::kNames) {
    const auto exact = loss_of({.kind = kind}, f);
    const Bf16Scope bf16;
    EXPECT_EQ(loss_of({.kind = kind}, f), exact) << name;
  }
}

}  // namespace
}  // namespace raven::models
