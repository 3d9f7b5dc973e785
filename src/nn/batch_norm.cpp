#include "raven/nn/batch_norm.h"

#include "raven/core/error.h"

namespace raven::nn {
namespace {

constexpr double kEpsilon = 1e-5;
constexpr double kMomentum = 0.1;

}  // namespace

BatchNormImpl::BatchNormImpl(std::int64_t num_channels) {
  RAVEN_CHECK(num_channels > 0, "batch norm over {} channels", num_channels);
  weight = register_parameter("weight", torch::ones({num_channels}));
  bias = register_parameter("bias", torch::zeros({num_channels}));
  running_mean = register_buffer("running_mean", torch::zeros({num_channels}));
  running_var = register_buffer("running_var", torch::ones({num_channels}));
  num_batches_tracked = register_buffer("num_batches_tracked", torch::tensor(std::int64_t{0}));
}

torch::Tensor BatchNormImpl::normalise(const torch::Tensor& x) {
  if (is_training()) num_batches_tracked.add_(1);
  return torch::batch_norm(x.contiguous(), weight, bias, running_mean, running_var, is_training(), kMomentum,
                           kEpsilon, at::globalContext().userEnabledCuDNN());
}

torch::Tensor BatchNormImpl::after_convolution(const torch::Tensor& x, const After& after) {
  auto y = normalise(x);
  if (after.residual.defined()) y = y + after.residual;
  return after.silu ? torch::silu(y) : y;
}

torch::Tensor BatchNormImpl::forward(const torch::Tensor& x) {
  return normalise(x.transpose(1, 2)).transpose(1, 2);
}

}  // namespace raven::nn
