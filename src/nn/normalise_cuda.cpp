#include "nn/normalise_cuda.h"

#include <optional>

#include "nn/cuda/library.h"

namespace raven::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

using cuda::data_of;
using cuda::floats_of;

torch::Tensor workspace_for(const torch::Tensor& rows) {
  return torch::empty({cuda::kernels()->batch_norm.workspace(cuda::rows_of(rows))},
                      rows.options().dtype(torch::kFloat32));
}

/// What backward needs: the rows and (C) float32 numbers.
struct Saved {
  torch::Tensor rows, residual, bias, moments;  // moments (3, C): mean, variance, scale

  [[nodiscard]] cuda::Channels channels() const {
    const auto* data = moments.const_data_ptr<float>();
    return {
        .mean = data, .scale = data + 2 * moments.size(1), .bias = bias.const_data_ptr<float>()};
  }
  [[nodiscard]] variable_list list() const { return {rows, residual, bias, moments}; }
  static Saved of(const variable_list& list) { return {list[0], list[1], list[2], list[3]}; }
};

/// Moments of the batch; running statistics are updated on the way.
Saved measure(const CudaNormalisation& input) {
  const auto channels = input.rows.size(1);
  auto moments = torch::empty({3, channels}, input.rows.options().dtype(torch::kFloat32));
  auto workspace = workspace_for(input.rows);
  auto* data = moments.mutable_data_ptr<float>();
  cuda::kernels()->batch_norm.moments(
      cuda::rows_of(input.rows), data_of(input.rows), floats_of(workspace),
      {.mean = data,
       .variance = data + channels,
       .scale = data + 2 * channels,
       .weight = input.weight.const_data_ptr<float>(),
       .eps = input.eps,
       .running_mean = floats_of(input.running_mean),
       .running_variance = floats_of(input.running_variance),
       .momentum = input.momentum,
       .batches_tracked = input.batches_tracked.defined()
                              ? input.batches_tracked.data_ptr<std::int64_t>()
                              : nullptr});
  return {.rows = input.rows, .residual = input.residual, .bias = input.bias, .moments = moments};
}

torch::Tensor apply_to(const Saved& saved, bool silu, bool in_place) {
  auto y = in_place ? saved.rows : torch::empty_like(saved.rows);
  cuda::kernels()->batch_norm.apply(cuda::rows_of(saved.rows), data_of(saved.rows),
                                    data_of(saved.residual), saved.channels(), silu,
                                    y.mutable_data_ptr());
  cuda::check_launches();
  return y;
}

torch::Tensor apply_and_pool(const Saved& saved, const cuda::ImageSize& size,
                             torch::Tensor* winner) {
  const auto images = saved.rows.size(0) / (size.height * size.width);
  const auto pooled_rows = images * ((size.height + 1) / 2) * ((size.width + 1) / 2);
  auto pooled = torch::empty({pooled_rows, saved.rows.size(1)}, saved.rows.options());
  if (winner != nullptr) {
    *winner = torch::empty(pooled.sizes(), pooled.options().dtype(torch::kUInt8));
  }
  cuda::kernels()->batch_norm.apply_and_pool(
      cuda::rows_of(saved.rows), size, data_of(saved.rows), saved.channels(),
      pooled.mutable_data_ptr(),
      winner != nullptr ? winner->mutable_data_ptr<std::uint8_t>() : nullptr);
  cuda::check_launches();
  return pooled;
}

/// Sums of the first backward pass: rows of (4, C): gradients of weight and bias, mean gradient and
/// slope.
struct Sums {
  explicit Sums(const Saved& saved)
      : all(torch::empty({4, saved.rows.size(1)}, saved.moments.options())) {}

  [[nodiscard]] float* row(std::int64_t i) {
    return all.mutable_data_ptr<float>() + i * all.size(1);
  }
  cuda::SumsOutput output(const Saved& saved, double eps) {
    return {.weight_grad = row(0),
            .bias_grad = row(1),
            .mean_grad = row(2),
            .slope = row(3),
            .variance = saved.moments.const_data_ptr<float>() + saved.moments.size(1),
            .eps = eps};
  }

  torch::Tensor all;
};

class NormaliseOnCuda : public torch::autograd::Function<NormaliseOnCuda> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& rows,
                               const torch::Tensor& weight, const torch::Tensor& bias,
                               const std::optional<torch::Tensor>& residual,
                               const CudaNormalisation& input) {
    auto given = input;
    given.rows = rows, given.weight = weight, given.bias = bias;
    given.residual = residual.value_or(torch::Tensor());
    const auto saved = measure(given);
    context->save_for_backward(saved.list());
    context->saved_data["silu"] = input.silu;
    context->saved_data["eps"] = input.eps;
    return apply_to(saved, input.silu, /*in_place=*/false);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto saved = Saved::of(context->get_saved_variables());
    const bool silu = context->saved_data["silu"].toBool();
    const auto grad = grads[0].to(saved.rows.scalar_type()).contiguous();
    const auto rows = cuda::rows_of(saved.rows);
    auto workspace = workspace_for(saved.rows);
    Sums sums(saved);
    cuda::kernels()->batch_norm.backward_sums(
        rows, data_of(grad), data_of(saved.rows), data_of(saved.residual), saved.channels(), silu,
        floats_of(workspace), sums.output(saved, context->saved_data["eps"].toDouble()));
    auto grad_rows = torch::empty_like(saved.rows);
    const bool asks_residual = saved.residual.defined();
    auto grad_residual = asks_residual ? torch::empty_like(saved.rows) : torch::Tensor();
    cuda::kernels()->batch_norm.backward_apply(
        rows, data_of(grad), data_of(saved.rows), data_of(saved.residual), saved.channels(), silu,
        sums.row(2), sums.row(3), grad_rows.mutable_data_ptr(), data_of(grad_residual));
    cuda::check_launches();
    return {grad_rows, sums.all[0], sums.all[1], grad_residual, torch::Tensor()};
  }
};

class NormaliseAndPoolOnCuda : public torch::autograd::Function<NormaliseAndPoolOnCuda> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& rows,
                               const torch::Tensor& weight, const torch::Tensor& bias,
                               const CudaNormalisation& input, const cuda::ImageSize& size) {
    auto given = input;
    given.rows = rows, given.weight = weight, given.bias = bias;
    const auto saved = measure(given);
    torch::Tensor winner;
    auto pooled = apply_and_pool(saved, size, &winner);
    auto list = saved.list();
    list.push_back(winner);
    context->save_for_backward(list);
    context->saved_data["eps"] = input.eps;
    context->saved_data["height"] = size.height;
    context->saved_data["width"] = size.width;
    return pooled;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto list = context->get_saved_variables();
    const auto saved = Saved::of(list);
    const auto* winner = list[4].const_data_ptr<std::uint8_t>();
    const cuda::ImageSize size{.height = context->saved_data["height"].toInt(),
                               .width = context->saved_data["width"].toInt()};
    const auto grad = grads[0].to(saved.rows.scalar_type()).contiguous();
    const auto rows = cuda::rows_of(saved.rows);
    auto workspace = workspace_for(saved.rows);
    Sums sums(saved);
    cuda::kernels()->batch_norm.pool_backward_sums(
        rows, size, data_of(grad), winner, data_of(saved.rows), saved.channels(),
        floats_of(workspace), sums.output(saved, context->saved_data["eps"].toDouble()));
    auto grad_rows = torch::empty_like(saved.rows);
    cuda::kernels()->batch_norm.pool_backward_apply(
        rows, size, data_of(grad), winner, data_of(saved.rows), saved.channels(), sums.row(2),
        sums.row(3), grad_rows.mutable_data_ptr());
    cuda::check_launches();
    return {grad_rows, sums.all[0], sums.all[1], torch::Tensor(), torch::Tensor()};
  }
};

}  // namespace

bool cuda_kernels_take(const torch::Tensor& x, std::int64_t channels) {
  return cuda::takes(x, channels);
}

torch::Tensor normalise_on_cuda(const CudaNormalisation& input) {
  auto given = input;
  if (given.residual.defined()) given.residual = given.residual.to(given.rows.scalar_type());
  if (!torch::GradMode::is_enabled()) return apply_to(measure(given), given.silu, given.in_place);
  std::optional<torch::Tensor> residual;
  if (given.residual.defined()) residual = given.residual;
  return NormaliseOnCuda::apply(given.rows, given.weight, given.bias, residual, given);
}

torch::Tensor normalise_and_pool_on_cuda(const CudaNormalisation& input, std::int64_t height,
                                         std::int64_t width) {
  const cuda::ImageSize size{.height = height, .width = width};
  if (!torch::GradMode::is_enabled()) return apply_and_pool(measure(input), size, nullptr);
  return NormaliseAndPoolOnCuda::apply(input.rows, input.weight, input.bias, input, size);
}

}  // namespace raven::nn
