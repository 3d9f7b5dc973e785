// raven's own CUDA kernels against the same computation on the CPU. Needs an NVIDIA GPU and
// libraven_cuda.so (built where nvcc is found).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nn/normalise_cuda.h"
#include "raven/nn/batch_norm.h"
#include "raven/nn/cuda_library.h"
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
  Pass run(torch::Device device, torch::ScalarType type, torch::ScalarType seen) {
    const auto& given = GetParam();
    BatchNorm norm(channels_of(given));
    {
      const torch::NoGradGuard no_grad;
      norm->weight.copy_(weight_);
      norm->bias.copy_(bias_);
    }
    norm->to(device);
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
  ASSERT_TRUE(cuda_kernels_take(x_.to(gpu::device()), channels_of(GetParam())));
  const auto found = run(gpu::device(), torch::kFloat32, torch::kFloat32);
  expect_near(found, run(torch::kCPU, torch::kFloat32, torch::kFloat32), 2e-5);
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

TEST(CudaKernels, WidthsThatDoNotFitAreLeftToTheLibrary) {
  EXPECT_FALSE(cuda_kernels_take(torch::zeros({2, 6, 3, 3}, gpu::device()), 6));
  EXPECT_FALSE(cuda_kernels_take(
      torch::zeros({2, 12, 3, 3}, torch::TensorOptions(gpu::device()).dtype(torch::kBFloat16)),
      12));
  EXPECT_TRUE(cuda_kernels_take(torch::zeros({2, 12, 3, 3}, gpu::device()), 12));
  EXPECT_FALSE(cuda_kernels_take(torch::zeros({2, 12, 3, 3}), 12));
}

}  // namespace
}  // namespace raven::nn
