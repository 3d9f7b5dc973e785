#include "raven/nn/batch_norm.h"

#include "nn/backend/normalise.h"
#include "raven/core/error.h"

namespace raven::nn {

BatchNormImpl::BatchNormImpl(std::int64_t num_channels) {
  RAVEN_CHECK(num_channels > 0, "batch norm over {} channels", num_channels);
  weight = register_parameter("weight", torch::ones({num_channels}));
  bias = register_parameter("bias", torch::zeros({num_channels}));
  running_mean = register_buffer("running_mean", torch::zeros({num_channels}));
  running_var = register_buffer("running_var", torch::ones({num_channels}));
  num_batches_tracked = register_buffer("num_batches_tracked", torch::tensor(std::int64_t{0}));
}

backend::Normalisation BatchNormImpl::normalisation_of(const torch::Tensor& x) const {
  return {.x = x,
          .weight = weight,
          .bias = bias,
          .running_mean = running_mean,
          .running_variance = running_var,
          .batches_tracked = num_batches_tracked,
          .residual = {},
          .of_batch = is_training(),
          .update_running = is_training() && !statistics_fixed,
          .momentum = momentum,
          .silu = false,
          .may_overwrite = false,
          .reducer = is_training() ? reducer : nullptr};
}

torch::Tensor BatchNormImpl::after_convolution(const torch::Tensor& x, const After& after) {
  auto normalisation = normalisation_of(x);
  normalisation.residual = after.residual;
  normalisation.silu = after.silu;
  normalisation.may_overwrite = true;
  return backend::normalise(normalisation);
}

torch::Tensor BatchNormImpl::after_stem(const torch::Tensor& x) {
  auto normalisation = normalisation_of(x);
  normalisation.silu = true;
  return backend::normalise_and_pool(normalisation);
}

torch::Tensor BatchNormImpl::forward(const torch::Tensor& x) {
  const auto rows = x.reshape({-1, x.size(-1)}).contiguous();
  return backend::normalise(normalisation_of(rows)).view(x.sizes());
}

void share_statistics(const torch::nn::Module& network,
                      const std::shared_ptr<distributed::Communicator>& reducer) {
  for (const auto& module : network.modules()) {
    if (auto* norm = module->as<BatchNormImpl>()) norm->reducer = reducer;
  }
}

}  // namespace raven::nn
