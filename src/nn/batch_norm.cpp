#include "raven/nn/batch_norm.h"

#include "nn/normalise.h"
#include "nn/normalise_cuda.h"
#include "raven/core/error.h"

namespace raven::nn {
namespace {

constexpr double kEpsilon = 1e-5;

/// (N, C, H, W) -> (N H W, C); a view where memory is channels-last.
torch::Tensor rows_of(const torch::Tensor& x) {
  return x.permute({0, 2, 3, 1}).reshape({-1, x.size(1)}).contiguous();
}

torch::Tensor images_of(const torch::Tensor& rows, std::int64_t images, std::int64_t height,
                        std::int64_t width) {
  return rows.view({images, height, width, -1}).permute({0, 3, 1, 2});
}

/// Moments to normalise with; in train mode the running ones are updated on the way.
BatchMoments moments_for(const torch::Tensor& rows, BatchNormImpl& norm) {
  if (!norm.is_training()) return {.mean = norm.running_mean, .variance = norm.running_var};
  torch::NoGradGuard no_grad;
  const auto num_rows = rows.size(0);
  auto moments = batch_moments(rows.detach());
  if (norm.statistics_fixed) return moments;
  const auto unbiased =
      static_cast<double>(num_rows) / std::max<double>(1, static_cast<double>(num_rows - 1));
  norm.running_mean.lerp_(moments.mean, norm.momentum);
  norm.running_var.lerp_(moments.variance * unbiased, norm.momentum);
  norm.num_batches_tracked.add_(1);
  return moments;
}

}  // namespace

BatchNormImpl::BatchNormImpl(std::int64_t num_channels) {
  RAVEN_CHECK(num_channels > 0, "batch norm over {} channels", num_channels);
  weight = register_parameter("weight", torch::ones({num_channels}));
  bias = register_parameter("bias", torch::zeros({num_channels}));
  running_mean = register_buffer("running_mean", torch::zeros({num_channels}));
  running_var = register_buffer("running_var", torch::ones({num_channels}));
  num_batches_tracked = register_buffer("num_batches_tracked", torch::tensor(std::int64_t{0}));
}

bool BatchNormImpl::own_loops_take(const torch::Tensor& x) const {
  // In eval mode with gradients the moments are constants; that is rare, and left to the library.
  return x.device().is_cpu() && x.scalar_type() == torch::kFloat32 &&
         weight.scalar_type() == torch::kFloat32 && x.numel() > 0 &&
         (is_training() || !torch::GradMode::is_enabled());
}

bool BatchNormImpl::cuda_kernels_take(const torch::Tensor& x, std::int64_t channels) const {
  return is_training() && weight.scalar_type() == torch::kFloat32 &&
         nn::cuda_kernels_take(x, channels);
}

CudaNormalisation BatchNormImpl::on_cuda(const torch::Tensor& rows, bool silu) {
  CudaNormalisation input{.rows = rows,
                          .weight = weight,
                          .bias = bias,
                          .residual = {},
                          .running_mean = {},
                          .running_variance = {},
                          .batches_tracked = {},
                          .momentum = momentum,
                          .eps = kEpsilon,
                          .silu = silu};
  if (statistics_fixed) return input;
  input.running_mean = running_mean, input.running_variance = running_var;
  input.batches_tracked = num_batches_tracked;
  return input;
}

torch::Tensor BatchNormImpl::library_norm(const torch::Tensor& x) {
  const auto norm_with = [&](const torch::Tensor& mean, const torch::Tensor& variance) {
    return torch::batch_norm(x, weight, bias, mean, variance, is_training(), momentum, kEpsilon,
                             at::globalContext().userEnabledCuDNN());
  };
  if (!is_training()) return norm_with(running_mean, running_var);
  if (statistics_fixed) return norm_with({}, {});
  num_batches_tracked.add_(1);
  if (x.numel() != x.size(1)) return norm_with(running_mean, running_var);
  // One value per channel: the library's n / (n - 1) would make the running variance NaN.
  {
    torch::NoGradGuard no_grad;
    running_mean.lerp_(x.reshape({-1}).to(running_mean.scalar_type()), momentum);
    running_var.mul_(1 - momentum);
  }
  return norm_with({}, {});
}

torch::Tensor BatchNormImpl::after_convolution(const torch::Tensor& x, const After& after) {
  if (cuda_kernels_take(x, x.size(1))) {
    auto input = on_cuda(rows_of(x), after.silu);
    if (after.residual.defined()) input.residual = rows_of(after.residual);
    input.in_place = true;
    return images_of(normalise_on_cuda(input), x.size(0), x.size(2), x.size(3));
  }
  if (!own_loops_take(x)) {
    auto y = library_norm(x);
    if (after.residual.defined()) y = y + after.residual;
    return after.silu ? torch::silu(y) : y;
  }
  NormaliseInput input{
      .rows = rows_of(x),
      .weight = weight,
      .bias = bias,
      .residual = after.residual.defined() ? rows_of(after.residual) : torch::Tensor(),
      .moments = {},
      .eps = kEpsilon,
      .silu = after.silu};
  input.moments = moments_for(input.rows, *this);
  const auto y = torch::GradMode::is_enabled()
                     ? normalise(input)
                     : normalise_without_gradient(input, /*in_place=*/true);
  return images_of(y, x.size(0), x.size(2), x.size(3));
}

torch::Tensor BatchNormImpl::after_stem(const torch::Tensor& x) {
  if (cuda_kernels_take(x, x.size(1))) {
    const auto pooled = normalise_and_pool_on_cuda(on_cuda(rows_of(x), true), x.size(2), x.size(3));
    return images_of(pooled, x.size(0), (x.size(2) + 1) / 2, (x.size(3) + 1) / 2);
  }
  if (!own_loops_take(x)) {
    return torch::max_pool2d(torch::silu(library_norm(x)), 3, 2, 1);
  }
  NormaliseInput input{.rows = rows_of(x),
                       .weight = weight,
                       .bias = bias,
                       .residual = {},
                       .moments = {},
                       .eps = kEpsilon,
                       .silu = true};
  input.moments = moments_for(input.rows, *this);
  const auto pooled = normalise_and_pool(input, x.size(2), x.size(3));
  return images_of(pooled, x.size(0), (x.size(2) + 1) / 2, (x.size(3) + 1) / 2);
}

torch::Tensor BatchNormImpl::forward(const torch::Tensor& x) {
  const auto rows = x.reshape({-1, x.size(-1)}).contiguous();
  if (cuda_kernels_take(x, x.size(-1)))
    return normalise_on_cuda(on_cuda(rows, false)).view(x.sizes());
  if (!own_loops_take(x)) return library_norm(rows).view(x.sizes());
  NormaliseInput input{.rows = rows,
                       .weight = weight,
                       .bias = bias,
                       .residual = {},
                       .moments = {},
                       .eps = kEpsilon,
                       .silu = false};
  input.moments = moments_for(input.rows, *this);
  const auto y = torch::GradMode::is_enabled()
                     ? normalise(input)
                     : normalise_without_gradient(input, /*in_place=*/false);
  return y.view(x.sizes());
}

}  // namespace raven::nn
