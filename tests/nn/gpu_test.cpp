// raven's own CUDA kernels against the same computation on the CPU. Needs an NVIDIA GPU and
// libraven_cuda.so (built where nvcc is found).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nn/backend/add_branch_cuda.h"
#include "nn/cuda/library.h"
#include "raven/nn/attention.h"
#include "raven/nn/batch_norm.h"
#include "raven/nn/cuda_library.h"
#include "raven/nn/dropout_seed.h"
#include "raven/nn/transformer.h"
#include "support/gpu.h"
#include "support/tolerance.h"

namespace raven::nn {
namespace {

/// What one pass through a batch norm leaves behind, on the CPU in float32.
struct Pass {
  torch::Tensor y, grad_x, grad_residual, grad_weight, grad_bias, running_mean, running_var;
};

struct Case {
  std::string name;
  std::vector<std::int64_t> shape;  // (B, C, h, w), or (B, T, C) for `forward`
  bool silu = false, residual = false, pool = false;
};

std::ostream& operator<<(std::ostream& out, const Case& given) { return out << given.name; }

torch::Tensor random_images(const std::vector<std::int64_t>& shape) {
  const auto x = torch::randn(shape) * 2 + 3;  // far from 0, so that cancellation would show
  return shape.size() == 4 ? x.contiguous(torch::MemoryFormat::ChannelsLast) : x;
}

std::int64_t channels_of(const Case& given) {
  return given.shape.size() == 4 ? given.shape[1] : given.shape[2];
}

/// As if a second rank had the same batch.
struct TwinRank : distributed::OneRank {
  void sum(const std::vector<torch::Tensor>& tensors) override {
    for (auto numbers : tensors) numbers *= 2;
  }
};

class BatchNormOnGpu : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    torch::manual_seed(5);
    const auto& given = GetParam();
    x_ = random_images(given.shape);
    residual_ = random_images(given.shape);
    weight_ = torch::randn({channels_of(given)});
    bias_ = torch::randn({channels_of(given)});
  }

  /// Inputs are rounded to `type` first, so that all sides see the same numbers.
  Pass run(torch::Device device, torch::ScalarType type, torch::ScalarType seen,
           const std::shared_ptr<distributed::Communicator>& reducer = nullptr) {
    const auto& given = GetParam();
    BatchNorm norm(channels_of(given));
    {
      const torch::NoGradGuard no_grad;
      norm->weight.copy_(weight_);
      norm->bias.copy_(bias_);
    }
    norm->to(device);
    norm->reducer = reducer;
    const auto place = [&](const torch::Tensor& value) {
      return value.to(seen).to(device, type).detach().requires_grad_();
    };
    const auto x = place(x_), residual = place(residual_);
    torch::Tensor y;
    if (given.pool) {
      y = norm->after_stem(x);
    } else if (given.shape.size() == 4) {
      y = norm->after_convolution(
          x, {.silu = given.silu, .residual = given.residual ? residual : torch::Tensor()});
    } else {
      y = norm->forward(x);
    }
    torch::manual_seed(6);
    const auto grad = torch::randn(y.sizes()).to(seen).to(device, type);
    y.backward(grad);
    const auto back = [](const torch::Tensor& value) {
      return value.defined() ? value.detach().to(torch::kCPU, torch::kFloat32) : value;
    };
    return {back(y),
            back(x.grad()),
            back(residual.grad()),
            back(norm->weight.grad()),
            back(norm->bias.grad()),
            back(norm->running_mean),
            back(norm->running_var)};
  }

  static void expect_near(const Pass& found, const Pass& expected, double tolerance) {
    EXPECT_LE(tolerance::relative_distance(found.y, expected.y), tolerance);
    EXPECT_LE(tolerance::relative_distance(found.grad_x, expected.grad_x), tolerance);
    EXPECT_EQ(found.grad_residual.defined(), expected.grad_residual.defined());
    if (expected.grad_residual.defined()) {
      EXPECT_LE(tolerance::relative_distance(found.grad_residual, expected.grad_residual),
                tolerance);
    }
    EXPECT_LE(tolerance::relative_distance(found.grad_weight, expected.grad_weight), tolerance);
    EXPECT_LE(tolerance::relative_distance(found.grad_bias, expected.grad_bias), tolerance);
    EXPECT_LE(tolerance::relative_distance(found.running_mean, expected.running_mean), tolerance);
    EXPECT_LE(tolerance::relative_distance(found.running_var, expected.running_var), tolerance);
  }

  torch::Tensor x_, residual_, weight_, bias_;
};

TEST_P(BatchNormOnGpu, IsTheCpusInFloat32) {
  ASSERT_TRUE(cuda::can_use(x_.to(gpu::device()), channels_of(GetParam())));
  const auto found = run(gpu::device(), torch::kFloat32, torch::kFloat32);
  expect_near(found, run(torch::kCPU, torch::kFloat32, torch::kFloat32), 2e-5);
}

TEST_P(BatchNormOnGpu, IsTheCpusOverTwoRanks) {
  const auto twin = std::make_shared<TwinRank>();
  const auto found = run(gpu::device(), torch::kFloat32, torch::kFloat32, twin);
  const auto expected = run(torch::kCPU, torch::kFloat32, torch::kFloat32, twin);
  expect_near(found, expected, 2e-5);
  const auto alone = run(torch::kCPU, torch::kFloat32, torch::kFloat32);
  EXPECT_FALSE(torch::equal(expected.running_var, alone.running_var));
}

TEST_P(BatchNormOnGpu, StaysNearItInBfloat16) {
  const auto found = run(gpu::device(), torch::kBFloat16, torch::kBFloat16);
  expect_near(found, run(torch::kCPU, torch::kFloat32, torch::kBFloat16),
              tolerance::relative(torch::kBFloat16));
}

TEST_P(BatchNormOnGpu, IsThatOfTheLibrarysOperators) {
  const auto found = run(gpu::device(), torch::kFloat32, torch::kFloat32);
  enable_cuda_kernels(false);
  const auto expected = run(gpu::device(), torch::kFloat32, torch::kFloat32);
  enable_cuda_kernels(true);
  expect_near(found, expected, 2e-5);
}

INSTANTIATE_TEST_SUITE_P(
    All, BatchNormOnGpu,
    testing::Values(
        Case{.name = "plain", .shape = {3, 64, 5, 7}},
        Case{.name = "silu", .shape = {3, 64, 5, 7}, .silu = true},
        Case{.name = "residual", .shape = {2, 128, 6, 6}, .silu = true, .residual = true},
        Case{.name = "residual_alone", .shape = {2, 24, 6, 5}, .residual = true},
        Case{.name = "narrow", .shape = {2, 8, 9, 4}, .silu = true, .residual = true},
        Case{.name = "one_dimension", .shape = {2, 512, 1, 37}, .silu = true},
        Case{.name = "many_rows", .shape = {64, 64, 44, 44}, .silu = true},
        Case{.name = "frames", .shape = {3, 50, 512}},
        Case{.name = "wide_frames", .shape = {3, 20, 1024}},
        Case{.name = "stem_even", .shape = {3, 64, 44, 44}, .pool = true},
        Case{.name = "stem_odd", .shape = {2, 16, 23, 9}, .pool = true}),
    [](const auto& info) { return info.param.name; });

/// Largest relative distances of the output and of all gradients between two runs of `module`.
struct Outcome {
  torch::Tensor y;
  std::vector<std::pair<std::string, torch::Tensor>> gradients;
};

template <class Module, class Forward>
Outcome outcome(Module module, const torch::Tensor& x, const Forward& forward) {
  module->zero_grad();
  const auto input = x.detach().clone().requires_grad_();
  const auto y = forward(module, input);
  torch::manual_seed(9);
  y.backward(torch::randn(y.sizes()).to(y.device(), y.scalar_type()));
  Outcome result{.y = y.detach().to(torch::kCPU, torch::kFloat32), .gradients = {}};
  result.gradients.emplace_back("x", input.grad().to(torch::kCPU, torch::kFloat32));
  for (const auto& item : module->named_parameters()) {
    result.gradients.emplace_back(item.key(), item.value().grad().to(torch::kCPU, torch::kFloat32));
  }
  return result;
}

void expect_near(const Outcome& found, const Outcome& expected, double tolerance) {
  EXPECT_LE(tolerance::relative_distance(found.y, expected.y), tolerance);
  ASSERT_EQ(found.gradients.size(), expected.gradients.size());
  for (std::size_t i = 0; i < found.gradients.size(); ++i) {
    const auto& [name, gradient] = expected.gradients[i];
    // A softmax does not see what all keys share, so the key bias has a gradient of rounding alone.
    const double least = name.find("linear_k.bias") == std::string::npos ? 1e-30 : 1;
    const auto largest = std::max(gradient.abs().max().item<double>(), least);
    EXPECT_LE(tolerance::distance(found.gradients[i].second, gradient), tolerance * largest)
        << name;
  }
}

torch::Tensor valid_of(const std::vector<std::int64_t>& lengths, std::int64_t frames) {
  auto valid = torch::zeros({std::ssize(lengths), frames}, torch::kBool);
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    valid[static_cast<std::int64_t>(i)].slice(0, 0, lengths[i]).fill_(true);
  }
  return valid;
}

class BlockOnGpu : public testing::TestWithParam<std::int64_t> {  // frames
 protected:
  static EncoderBlock block(double dropout, double layer_scale) {
    torch::manual_seed(3);
    EncoderBlock block(config::EncoderConfig{.dim = 64,
                                             .heads = 4,
                                             .ffn_dim = 96,
                                             .dropout = dropout,
                                             .drop_path = 0,
                                             .ffn_norm = config::FfnNorm::kBatch,
                                             .layer_scale = layer_scale});
    return block;
  }

  Outcome run(double layer_scale, torch::Device device, bool autocast = false) {
    auto block = BlockOnGpu::block(/*dropout=*/0, layer_scale);
    block->to(device);
    const auto frames = GetParam();
    torch::manual_seed(4);
    const auto x = torch::randn({3, frames, 64}).to(device);
    const auto positions = relative_positions(frames, 64, device);
    const auto valid =
        valid_of({frames, std::max<std::int64_t>(frames - 5, 0), 0}, frames).to(device);
    return outcome(block, x, [&](EncoderBlock& module, const torch::Tensor& input) {
      const nn::Autocast scope(device,
                               autocast ? config::Precision::kBf16 : config::Precision::kFp32);
      return module->forward(input, positions, valid);
    });
  }
};

TEST_P(BlockOnGpu, IsTheCpusInFloat32) {
  for (const double layer_scale : {0.1, 0.0}) {
    expect_near(run(layer_scale, gpu::device()), run(layer_scale, torch::kCPU), 1e-4);
  }
}

// Where a ReLU's input is near 0, rounding decides whether it passes: a few elements of w_1's
// gradients then differ by themselves, and only norms can be compared.
class BlockInBfloat16 : public BlockOnGpu {};

TEST_P(BlockInBfloat16, StaysNearFloat32) {
  constexpr double kTolerance = 0.1;
  for (const double layer_scale : {0.1, 0.0}) {
    const auto found = run(layer_scale, gpu::device(), /*autocast=*/true);
    const auto expected = run(layer_scale, torch::kCPU);
    EXPECT_LE(tolerance::relative_distance(found.y, expected.y), 2e-2);
    for (std::size_t i = 0; i < expected.gradients.size(); ++i) {
      const auto& [name, gradient] = expected.gradients[i];
      if (name.find("linear_k.bias") != std::string::npos) continue;  // rounding alone
      EXPECT_LE((found.gradients[i].second - gradient).norm().item<double>(),
                kTolerance * gradient.norm().item<double>())
          << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Frames, BlockInBfloat16, testing::Values(32, 33, 150, 301));
INSTANTIATE_TEST_SUITE_P(Frames, BlockOnGpu, testing::Values(1, 2, 31, 32, 33, 150, 301));

TEST(DropoutOnGpu, DropsAtItsRateAndTheSameAgain) {
  constexpr double kRate = 0.25;
  const auto x = torch::zeros({8, 500, 256}, gpu::device()), output = torch::ones_like(x);
  const auto once = [&](std::uint64_t seed) {
    torch::manual_seed(seed);
    return backend::add_branch_on_cuda({.x = x, .output = output, .gamma = {}, .dropout = kRate},
                                       /*keep=*/{});
  };
  const auto y = once(1);
  EXPECT_NEAR((y == 0).to(torch::kDouble).mean().item<double>(), kRate, 0.002);
  EXPECT_NEAR(y.mean().item<double>(), 1, 0.003);
  EXPECT_TRUE(torch::equal(y, once(1)));
  EXPECT_FALSE(torch::equal(y, once(2)));
}

TEST(DropoutOnGpu, FollowsASeedThatLiesOnTheDevice) {
  const struct Enabled {
    Enabled() { enable_dropout_seeds(true); }
    ~Enabled() { enable_dropout_seeds(false); }
  } enabled;
  const auto x = torch::zeros({8, 500, 256}, gpu::device());
  auto seed = torch::tensor(1, torch::kInt64).to(gpu::device());
  const auto twice = [&] {
    const DropoutSeed scope(seed);
    const auto output = torch::ones_like(x).requires_grad_();
    const auto once = [&] {
      return backend::add_branch_on_cuda({.x = x, .output = output, .gamma = {}, .dropout = 0.25},
                                         /*keep=*/{});
    };
    const auto first = once(), second = once();
    first.sum().backward();
    EXPECT_TRUE(torch::equal(output.grad(), first.detach()));
    EXPECT_FALSE(torch::equal(first, second));
    EXPECT_NEAR(second.mean().item<double>(), 1, 0.003);
    return second.detach();
  };
  const auto before = twice();
  EXPECT_TRUE(torch::equal(before, twice()));
  seed.fill_(2);
  EXPECT_FALSE(torch::equal(before, twice()));
}

TEST(DropoutOnGpu, GradientsPassWhereValuesPassed) {
  torch::manual_seed(1);
  const auto x = torch::zeros({4, 50, 64}, gpu::device());
  const auto output = torch::ones_like(x).requires_grad_();
  const auto keep = torch::tensor({0.0F, 2.0F, 1.0F, 1.0F}).to(gpu::device());
  const auto y =
      backend::add_branch_on_cuda({.x = x, .output = output, .gamma = {}, .dropout = 0.5}, keep);
  y.sum().backward();
  EXPECT_TRUE(torch::equal(output.grad(), y.detach()));
  EXPECT_EQ(y[0].abs().max().item<double>(), 0);
  EXPECT_EQ(y[1].max().item<double>(), 4);
}

TEST(AttentionOnGpu, DropoutKeepsTheMeanAndItsGradientIsThatOfTheSameWeights) {
  torch::manual_seed(2);
  RelativeAttention attention(64, 4, 0.2);
  attention->to(gpu::device());
  const auto x = torch::randn({2, 70, 64}, gpu::device());
  const auto positions = relative_positions(70, 64, gpu::device());
  const auto forward = [&](const torch::Tensor& input) {
    torch::manual_seed(7);
    return attention->forward(input, positions, {});
  };
  // Along one direction, the derivative of the same dropped weights by central differences.
  attention->to(torch::kFloat32);
  const auto direction = torch::randn_like(x), input = x.clone().requires_grad_();
  forward(input).sum().backward();
  constexpr double kStep = 1e-2;
  const torch::NoGradGuard no_grad;
  const auto slope = (forward(x + kStep * direction).to(torch::kDouble).sum() -
                      forward(x - kStep * direction).to(torch::kDouble).sum()) /
                     (2 * kStep);
  const auto expected = (input.grad() * direction).to(torch::kDouble).sum();
  EXPECT_NEAR(slope.item<double>(), expected.item<double>(),
              2e-2 * std::max(1.0, std::abs(expected.item<double>())));
}

TEST(CudaKernels, WidthsThatDoNotFitAreLeftToTheLibrary) {
  EXPECT_FALSE(cuda::can_use(torch::zeros({2, 6, 3, 3}, gpu::device()), 6));
  EXPECT_FALSE(cuda::can_use(
      torch::zeros({2, 12, 3, 3}, torch::TensorOptions(gpu::device()).dtype(torch::kBFloat16)),
      12));
  EXPECT_TRUE(cuda::can_use(torch::zeros({2, 12, 3, 3}, gpu::device()), 12));
  EXPECT_FALSE(cuda::can_use(torch::zeros({2, 12, 3, 3}), 12));
}

}  // namespace
}  // namespace raven::nn
