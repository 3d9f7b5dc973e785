#include "raven/nn/batch_norm.h"

#include <gtest/gtest.h>

#include "nn/kernels/batch_norm_kernels.h"
#include "nn/kernels/instruction_set.h"
#include "support/tolerance.h"

namespace raven::nn {
namespace {

/// Values of which the mean is much larger than the spread: naive variances fail here.
torch::Tensor images(std::int64_t channels) {
  return (torch::randn({3, channels, 9, 6}) * 0.3 + 5 * torch::randn({1, channels, 1, 1}))
      .contiguous(torch::MemoryFormat::ChannelsLast)
      .requires_grad_();
}

BatchNorm norm_of(std::int64_t channels) {
  BatchNorm norm(channels);
  torch::NoGradGuard no_grad;
  norm->weight.uniform_(0.5, 1.5);
  norm->bias.uniform_(-0.5, 0.5);
  return norm;
}

/// What the framework's own operators make of it, in double.
struct Reference {
  explicit Reference(const BatchNorm& norm)
      : weight(norm->weight.detach().to(torch::kDouble).requires_grad_()),
        bias(norm->bias.detach().to(torch::kDouble).requires_grad_()),
        mean(norm->running_mean.to(torch::kDouble)),
        variance(norm->running_var.to(torch::kDouble)),
        training(norm->is_training()) {}

  torch::Tensor operator()(const torch::Tensor& x) {
    return torch::batch_norm(x, weight, bias, mean, variance, training, 0.1, 1e-5, false);
  }

  torch::Tensor weight, bias, mean, variance;
  bool training;
};

torch::Tensor twin(const torch::Tensor& x) {
  return x.detach().to(torch::kDouble).contiguous().requires_grad_();
}

void expect_close(const torch::Tensor& a, const torch::Tensor& b, const std::string& what) {
  EXPECT_LE(tolerance::relative_distance(a, b), tolerance::relative(torch::kFloat32)) << what;
}

void expect_same_gradients(const BatchNorm& norm, const Reference& reference) {
  expect_close(norm->weight.grad(), reference.weight.grad(), "weight");
  expect_close(norm->bias.grad(), reference.bias.grad(), "bias");
  expect_close(norm->running_mean, reference.mean, "running mean");
  expect_close(norm->running_var, reference.variance, "running variance");
  EXPECT_EQ(norm->num_batches_tracked.item<std::int64_t>(), 1);
}

class BatchNormWidths : public testing::TestWithParam<std::int64_t> {};
INSTANTIATE_TEST_SUITE_P(Channels, BatchNormWidths, testing::Values(1, 5, 16, 24, 64, 100));

TEST_P(BatchNormWidths, NormalisesAddsAndActivatesAsTheFramework) {
  torch::manual_seed(1);
  for (const bool silu : {false, true}) {
    for (const bool add : {false, true}) {
      auto norm = norm_of(GetParam());
      Reference reference(norm);
      const auto x = images(GetParam()), shortcut = images(GetParam());
      const auto x_twin = twin(x), shortcut_twin = twin(shortcut);
      BatchNormImpl::After after{.silu = silu, .residual = {}};
      if (add) after.residual = shortcut;
      const auto y = norm->after_convolution(x, after);
      auto expected = reference(x_twin);
      if (add) expected = expected + shortcut_twin;
      if (silu) expected = torch::silu(expected);
      expect_close(y, expected, "output");
      const auto probe = torch::randn_like(y);
      (y * probe).sum().backward();
      (expected * probe.to(torch::kDouble)).sum().backward();
      expect_close(x.grad(), x_twin.grad(), "input");
      if (add) expect_close(shortcut.grad(), shortcut_twin.grad(), "shortcut");
      expect_same_gradients(norm, reference);
    }
  }
}

TEST_P(BatchNormWidths, PoolsTheStemAsTheFramework) {
  torch::manual_seed(2);
  auto norm = norm_of(GetParam());
  Reference reference(norm);
  const auto x = images(GetParam()), x_twin = twin(x);
  const auto y = norm->after_stem(x);
  const auto expected = torch::max_pool2d(torch::silu(reference(x_twin)), 3, 2, 1);
  expect_close(y, expected, "output");
  const auto probe = torch::randn_like(y);
  (y * probe).sum().backward();
  (expected * probe.to(torch::kDouble)).sum().backward();
  expect_close(x.grad(), x_twin.grad(), "input");
  expect_same_gradients(norm, reference);
}

TEST_P(BatchNormWidths, NormalisesFramesOverUtterancesAndTime) {
  torch::manual_seed(3);
  auto norm = norm_of(GetParam());
  Reference reference(norm);
  const auto x = torch::randn({4, 7, GetParam()}).requires_grad_();
  const auto x_twin = twin(x);
  const auto y = norm(x);
  const auto expected = reference(x_twin.transpose(1, 2)).transpose(1, 2);
  expect_close(y, expected, "output");
  const auto probe = torch::randn_like(y);
  (y * probe).sum().backward();
  (expected * probe.to(torch::kDouble)).sum().backward();
  expect_close(x.grad(), x_twin.grad(), "input");
  expect_same_gradients(norm, reference);
}

TEST(BatchNorm, UsesRunningStatisticsInEvalMode) {
  torch::manual_seed(4);
  auto norm = norm_of(5);
  norm->running_mean.uniform_(-1, 1);
  norm->running_var.uniform_(0.5, 2);
  norm->eval();
  Reference reference(norm);
  const auto x = images(5);
  const auto with_gradient = norm->after_convolution(x, {.silu = true, .residual = {}});
  torch::NoGradGuard no_grad;
  const auto before = norm->running_mean.clone();
  const auto without = norm->after_convolution(x.clone(), {.silu = true, .residual = {}});
  expect_close(without, torch::silu(reference(twin(x))), "without gradients");
  expect_close(with_gradient, without, "with gradients");
  EXPECT_TRUE(torch::equal(norm->running_mean, before));
}

/// float32 goes through the own loops, double through the library.
TEST(BatchNorm, OneValuePerChannelKeepsTheRunningVarianceFinite) {
  for (const auto type : {torch::kFloat32, torch::kDouble}) {
    for (const bool frames : {false, true}) {
      auto norm = BatchNorm(3);
      norm->to(type);
      const auto x = torch::tensor({1.0, -2.0, 5.0}, type).requires_grad_();
      const auto y =
          frames ? norm(x.view({1, 1, 3})) : norm->after_convolution(x.view({1, 3, 1, 1}), {});
      y.sum().backward();
      EXPECT_TRUE(torch::equal(y.flatten(), torch::zeros({3}, type)));
      EXPECT_TRUE(torch::isfinite(x.grad()).all().item<bool>());
      EXPECT_TRUE(torch::allclose(norm->running_mean, 0.1 * x.detach()));
      EXPECT_TRUE(torch::allclose(norm->running_var, torch::full({3}, 0.9, type)));
      EXPECT_EQ(norm->num_batches_tracked.item<std::int64_t>(), 1);
    }
  }
}

TEST(BatchNorm, FixedStatisticsAreNotUpdated) {
  for (const auto type : {torch::kFloat32, torch::kDouble}) {
    torch::manual_seed(7);
    auto moving = norm_of(5), fixed = norm_of(5);
    fixed->weight.set_data(moving->weight.detach().clone());
    fixed->bias.set_data(moving->bias.detach().clone());
    fixed->statistics_fixed = true;
    moving->to(type), fixed->to(type);
    const auto x = images(5).detach().to(type);
    EXPECT_TRUE(torch::equal(fixed->after_convolution(x.clone(), {}),
                             moving->after_convolution(x.clone(), {})));
    EXPECT_FALSE(torch::equal(moving->running_mean, torch::zeros({5}, type)));
    EXPECT_TRUE(torch::equal(fixed->running_mean, torch::zeros({5}, type)));
    EXPECT_TRUE(torch::equal(fixed->running_var, torch::ones({5}, type)));
    EXPECT_EQ(fixed->num_batches_tracked.item<std::int64_t>(), 0);
  }
}

TEST(BatchNorm, GivesTheSameForAnyNumberOfThreads) {
  torch::manual_seed(5);
  const auto x = torch::randn({4, 64, 40, 40}).contiguous(torch::MemoryFormat::ChannelsLast);
  const auto threads = at::get_num_threads();
  std::vector<torch::Tensor> results, gradients;
  for (const int n : {1, 2, 3}) {
    at::set_num_threads(n);
    auto norm = BatchNorm(64);
    const auto given = x.clone().requires_grad_();
    results.push_back(norm->after_convolution(given, {.silu = true, .residual = {}}));
    results.back().square().sum().backward();
    gradients.push_back(given.grad());
  }
  at::set_num_threads(threads);
  for (std::size_t i = 1; i < results.size(); ++i) {
    EXPECT_TRUE(torch::equal(results[0], results[i]));
    EXPECT_TRUE(torch::equal(gradients[0], gradients[i]));
  }
}

TEST(BatchNorm, CarriesNotANumberThrough) {
  torch::NoGradGuard no_grad;
  auto x = images(16).detach().clone(torch::MemoryFormat::Preserve);
  x[0][3][2][2] = std::numeric_limits<float>::quiet_NaN();
  const auto y = BatchNorm(16)->after_stem(x);
  EXPECT_TRUE(torch::isnan(y).any().item<bool>());
}

/// Loops compiled for older processors give what those for the newest give, up to rounding.
TEST(BatchNorm, HasTheSameLoopsForEveryProcessor) {
  torch::manual_seed(6);
  std::vector<const kernels::BatchNormLoops*> sets = {&kernels::kBatchNormLoopsGeneric};
  const auto best = kernels::best_instruction_set();
  if (best >= kernels::InstructionSet::kAvx2) sets.push_back(&kernels::kBatchNormLoopsAvx2);
  if (best >= kernels::InstructionSet::kAvx512) sets.push_back(&kernels::kBatchNormLoopsAvx512);
  EXPECT_EQ(sets.back(), &kernels::batch_norm_loops());
  constexpr std::int64_t kRows = 37, kChannels = 90;
  const auto x = torch::randn({kRows, kChannels}) * 20, mean = torch::randn({kChannels});
  const auto scale = torch::rand({kChannels}), bias = torch::randn({kChannels});
  const kernels::BatchNormChannels norm{.mean = mean.data_ptr<float>(),
                                        .scale = scale.data_ptr<float>(),
                                        .bias = bias.data_ptr<float>()};
  const auto expected = torch::silu(((x - mean) * scale + bias).to(torch::kDouble));
  for (const auto* loops : sets) {
    auto y = torch::empty_like(x);
    loops->apply(x.data_ptr<float>(), nullptr, norm, true, 0, kRows, kChannels,
                 y.data_ptr<float>());
    expect_close(y, expected, "apply");
    auto middle = torch::empty({kChannels}, torch::kDouble), squares = torch::empty_like(middle);
    loops->moments(x.data_ptr<float>(), 0, kRows, kChannels, middle.data_ptr<double>(),
                   squares.data_ptr<double>());
    expect_close(middle, x.to(torch::kDouble).mean(0), "mean");
    expect_close(squares / kRows, x.to(torch::kDouble).var(0, false), "variance");
  }
}

}  // namespace
}  // namespace raven::nn
