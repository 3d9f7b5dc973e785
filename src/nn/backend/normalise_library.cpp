#include "nn/backend/normalise_library.h"

#include <algorithm>

#include "nn/backend/batch_moments.h"

namespace raven::nn::backend {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

torch::Tensor of_one_rank(const Normalisation& input) {
  const auto norm_with = [&](const torch::Tensor& mean, const torch::Tensor& variance) {
    return torch::batch_norm(input.x, input.weight, input.bias, mean, variance, input.of_batch,
                             input.momentum, Normalisation::kEpsilon,
                             at::globalContext().userEnabledCuDNN());
  };
  if (!input.of_batch) return norm_with(input.running_mean, input.running_variance);
  if (!input.update_running) return norm_with({}, {});
  input.batches_tracked.add_(1);
  if (input.x.numel() != input.x.size(1)) {
    return norm_with(input.running_mean, input.running_variance);
  }
  // One value per channel: the library's n / (n - 1) would make the running variance NaN.
  {
    torch::NoGradGuard no_grad;
    input.running_mean.lerp_(input.x.reshape({-1}).to(input.running_mean.scalar_type()),
                             input.momentum);
    input.running_variance.mul_(1 - input.momentum);
  }
  return norm_with({}, {});
}

/// In which statistics and sums of rows of this type are computed.
torch::ScalarType exact_type(const torch::Tensor& x) {
  return x.scalar_type() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32;
}

/// Channels (C) along dimension 1 of x.
torch::Tensor along(const torch::Tensor& channels, const torch::Tensor& x) {
  return x.dim() == 2 ? channels : channels.view({-1, 1, 1});
}

torch::Tensor sum_over_rows(const torch::Tensor& x) {
  return x.dim() == 2 ? x.sum(0, false, torch::kFloat64)
                      : x.sum(torch::IntArrayRef{0, 2, 3}, false, torch::kFloat64);
}

Moments moments_of(const torch::Tensor& x) {
  const auto rows = x.numel() / x.size(1);
  const auto mean = sum_over_rows(x) / static_cast<double>(std::max<std::int64_t>(rows, 1));
  return {.mean = mean,
          .squares = sum_over_rows((x - along(mean, x).to(x.scalar_type())).square()),
          .count = row_count(rows, x)};
}

/// torch::batch_norm has no place between sums and their use, so its parts stand here.
class NormaliseOverRanks : public torch::autograd::Function<NormaliseOverRanks> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& weight, const torch::Tensor& bias,
                               const Normalisation& input) {
    const auto type = exact_type(x);
    const auto exact = x.to(type);
    const auto moments = over_ranks(moments_of(exact), input.reducer.get());
    if (input.update_running) update_running(input, moments.mean, moments.unbiased_variance());
    const auto mean = moments.mean.to(type), variance = moments.variance().to(type);
    const auto scale = weight.to(type) * torch::rsqrt(variance + Normalisation::kEpsilon);
    context->save_for_backward({x, weight, mean, variance, scale, moments.count});
    context->saved_data["reducer"] = to_saved(input.reducer);
    const auto y = (exact - along(mean, x)) * along(scale, x) + along(bias.to(type), x);
    return y.to(x.scalar_type());
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1], &mean = saved[2], &variance = saved[3],
               &scale = saved[4], &count = saved[5];
    const auto grad = grads[0].to(mean.scalar_type());
    const auto distance = x.to(mean.scalar_type()) - along(mean, x);
    const auto channels = finish_backward(
        {.grad = sum_over_rows(grad), .grad_times_x = sum_over_rows(grad * distance)}, variance,
        count, reducer_of(context->saved_data["reducer"]).get());
    const auto as_x = [&](const torch::Tensor& numbers) {
      return along(numbers.to(mean.scalar_type()), x);
    };
    const auto grad_x =
        as_x(scale) * (grad - as_x(channels.mean_grad) - distance * as_x(channels.slope));
    return {grad_x.to(x.scalar_type()), channels.weight_grad.to(weight.scalar_type()),
            channels.bias_grad.to(weight.scalar_type()), torch::Tensor()};
  }
};

}  // namespace

torch::Tensor normalise_with_library(const Normalisation& input) {
  if (input.reducer == nullptr) return of_one_rank(input);
  return NormaliseOverRanks::apply(input.x, input.weight, input.bias, input);
}

}  // namespace raven::nn::backend
