// Loops of batch normalisation for every instruction set against LibTorch's operators in float64.
#include "nn/kernels/batch_norm_kernels.h"

#include "fuzz/fuzz_numbers.h"
#include "fuzz/loop_copies.h"

namespace {

using namespace raven;
using namespace raven::nn;
using fuzz::kRounding;

torch::Tensor wide(const torch::Tensor& x) { return x.to(torch::kFloat64); }

/// Rows of images, and what a normalisation of them is given.
struct Given {
  std::int64_t height, width, rows, channels, first, last;
  torch::Tensor x, grad, residual, mean, scale, bias;
  bool silu = false, add = false;

  explicit Given(fuzz::Numbers& input) {
    height = input.integer(1, 9), width = input.integer(1, 9), rows = height * width;
    channels = input.integer(1, 150);
    first = input.integer(0, rows - 1), last = input.integer(first + 1, rows);
    const auto offset = static_cast<float>(input.integer(-1000, 1000));
    x = input.floats({rows, channels}, offset), grad = input.floats({rows, channels});
    residual = input.floats({rows, channels});
    mean = input.floats({channels}, offset);
    scale = input.floats({channels}), bias = input.floats({channels});
  }

  [[nodiscard]] kernels::BatchNormChannels norm() const {
    return {.mean = mean.data_ptr<float>(),
            .scale = scale.data_ptr<float>(),
            .bias = bias.data_ptr<float>()};
  }
  [[nodiscard]] const float* shortcut() const { return add ? residual.data_ptr<float>() : nullptr; }
  [[nodiscard]] torch::Tensor part(const torch::Tensor& all) const {
    return wide(all).slice(0, first, last);
  }
  [[nodiscard]] double num_rows() const { return static_cast<double>(last - first); }

  /// What SiLU sees, and how far rounding may take it.
  [[nodiscard]] torch::Tensor before_silu() const {
    const auto z = (part(x) - wide(mean)) * wide(scale) + wide(bias);
    return add ? z + part(residual) : z;
  }
  [[nodiscard]] torch::Tensor rounding_before_silu() const {
    auto size = ((part(x) - wide(mean)) * wide(scale)).abs() + wide(bias).abs();
    if (add) size = size + part(residual).abs();
    return 4 * kRounding * size;
  }
};

void check_moments(const kernels::BatchNormLoops& loops, const Given& given) {
  auto mean = torch::empty({given.channels}, torch::kFloat64), squares = torch::empty_like(mean);
  loops.moments(given.x.data_ptr<float>(), given.first, given.last, given.channels,
                mean.data_ptr<double>(), squares.data_ptr<double>());
  const auto x = given.part(given.x), expected = x.mean(0);
  const auto distance = x - expected;
  // The first mean is rounded; what that leaves out is added up in float32 again.
  const auto of_mean = given.num_rows() * kRounding * std::get<0>(x.abs().max(0));
  const auto of_distance =
      given.num_rows() * kRounding * (std::get<0>(distance.abs().max(0)) + of_mean);
  fuzz::require_near(mean, expected, 2 * of_distance + kRounding * of_mean);
  const auto sizes = (distance.abs() + of_mean).square().sum(0);
  fuzz::require_near(squares, distance.square().sum(0),
                     (given.num_rows() + 4) * kRounding * sizes +
                         2 * kRounding * (x.abs() * (distance.abs() + of_mean)).sum(0));
}

void check_apply(const kernels::BatchNormLoops& loops, const Given& given) {
  auto y = torch::zeros_like(given.x);
  loops.apply(given.x.data_ptr<float>(), given.shortcut(), given.norm(), given.silu, given.first,
              given.last, given.channels, y.data_ptr<float>());
  const auto z = given.before_silu();
  const auto bound = given.rounding_before_silu();
  if (given.silu) {
    fuzz::require_near(given.part(y), torch::silu(z),
                       1.1 * bound + 8 * kRounding * torch::silu(z).abs());
  } else {
    fuzz::require_near(given.part(y), z, bound);
  }
  const auto untouched = torch::cat({y.slice(0, 0, given.first), y.slice(0, given.last)});
  fuzz::require_same(untouched, torch::zeros_like(untouched));
}

void check_backward(const kernels::BatchNormLoops& loops, const Given& given) {
  auto before = given.grad.clone();
  auto sum = torch::empty({given.channels}, torch::kFloat64), sum_times_x = torch::empty_like(sum);
  loops.backward_sums(given.grad.data_ptr<float>(), given.x.data_ptr<float>(), given.shortcut(),
                      given.norm(), given.silu, given.first, given.last, given.channels,
                      before.data_ptr<float>(), sum.data_ptr<double>(),
                      sum_times_x.data_ptr<double>());
  auto expected = given.part(given.grad);
  auto bound = torch::zeros_like(expected);
  if (given.silu) {
    const auto z = given.before_silu(), s = torch::sigmoid(z);
    bound = expected.abs() * (given.rounding_before_silu() + 12 * kRounding * (1 + z.abs()));
    expected = expected * s * (1 + z * (1 - s));
  }
  fuzz::require_near(given.part(before), expected, bound);
  const auto distance = given.part(given.x) - wide(given.mean);
  const auto sums_bound = [&](const torch::Tensor& terms, const torch::Tensor& each) {
    return each.sum(0) + (given.num_rows() + 4) * kRounding * (terms.abs() + each).sum(0);
  };
  fuzz::require_near(sum, expected.sum(0), sums_bound(expected, bound));
  fuzz::require_near(sum_times_x, (expected * distance).sum(0),
                     sums_bound(expected * distance, bound * distance.abs()));

  auto grad_x = torch::zeros_like(given.x);
  const auto &middle = given.bias, &slope = given.scale;  // any numbers will do
  loops.backward_apply(before.data_ptr<float>(), given.x.data_ptr<float>(), given.norm(),
                       middle.data_ptr<float>(), slope.data_ptr<float>(), given.first, given.last,
                       given.channels, grad_x.data_ptr<float>());
  const auto g = given.part(before), lean = distance * wide(slope);
  fuzz::require_near(
      given.part(grad_x), wide(given.scale) * (g - wide(middle) - lean),
      6 * kRounding * wide(given.scale).abs() * (g.abs() + wide(middle).abs() + lean.abs()));
}

void check_pool(const kernels::BatchNormLoops& loops, const Given& given) {
  const auto images = given.x.view({1, given.height, given.width, given.channels});
  const auto expected =
      std::get<0>(torch::max_pool2d_with_indices(images.permute({0, 3, 1, 2}), 3, 2, 1))
          .permute({0, 2, 3, 1})
          .contiguous();
  auto pooled = torch::empty_like(expected), without = torch::empty_like(expected);
  auto winner = torch::full(expected.sizes(), 255, torch::kUInt8);
  loops.max_pool(given.x.data_ptr<float>(), given.height, given.width, given.channels,
                 pooled.data_ptr<float>(), winner.data_ptr<std::uint8_t>());
  loops.max_pool(given.x.data_ptr<float>(), given.height, given.width, given.channels,
                 without.data_ptr<float>(), nullptr);
  fuzz::require_same(pooled, expected);
  fuzz::require_same(without, expected);
  // Gradients go to pixels that hold the maximum: with ones, all of them add up to their number,
  // and weighed with the pixels to the sum of the maxima.
  auto grad = torch::zeros_like(images);
  const auto ones = torch::ones_like(pooled);
  loops.max_pool_backward(ones.data_ptr<float>(), winner.data_ptr<std::uint8_t>(), given.height,
                          given.width, given.channels, grad.data_ptr<float>());
  const auto per_channel = [&](const torch::Tensor& numbers) {
    return wide(numbers).view({-1, given.channels}).sum(0);
  };
  fuzz::require_same(per_channel(grad), per_channel(ones));
  fuzz::require_near((wide(grad) * wide(images)).view({-1, given.channels}).sum(0),
                     per_channel(expected), 1e-9 * per_channel(expected.abs()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const torch::NoGradGuard no_grad;
  fuzz::Numbers input(data, size);
  Given given(input);
  for (const auto& loops :
       fuzz::runnable(kernels::kBatchNormLoopsGeneric, kernels::kBatchNormLoopsAvx2,
                      kernels::kBatchNormLoopsAvx512)) {
    check_moments(loops, given);
    check_pool(loops, given);
    for (const bool silu : {false, true}) {
      for (const bool add : {false, true}) {
        given.silu = silu, given.add = add;
        check_apply(loops, given);
        check_backward(loops, given);
      }
    }
  }
  return 0;
}
