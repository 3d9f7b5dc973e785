#include "nn/backend/normalise_cuda.h"

#include <optional>

#include "nn/cuda/library.h"

namespace raven::nn::backend {
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
  torch::Tensor count;                          // of all ranks' rows; undefined for one rank

  [[nodiscard]] cuda::Channels channels() const {
    const auto* data = moments.const_data_ptr<float>();
    return {
        .mean = data, .scale = data + 2 * moments.size(1), .bias = bias.const_data_ptr<float>()};
  }
  [[nodiscard]] variable_list list() const { return {rows, residual, bias, moments, count}; }
  static Saved of(const variable_list& list) {
    return {list[0], list[1], list[2], list[3], list[4]};
  }
};

/// Moments of one rank's batch; running statistics are updated on the way.
Saved measure_one_rank(const Normalisation& input) {
  const auto channels = input.x.size(1);
  auto moments = torch::empty({3, channels}, input.x.options().dtype(torch::kFloat32));
  auto workspace = workspace_for(input.x);
  auto* data = moments.mutable_data_ptr<float>();
  cuda::MomentsOutput output{.mean = data,
                             .variance = data + channels,
                             .scale = data + 2 * channels,
                             .weight = input.weight.const_data_ptr<float>(),
                             .eps = Normalisation::kEpsilon,
                             .momentum = input.momentum};
  if (input.update_running) {
    output.running_mean = floats_of(input.running_mean);
    output.running_variance = floats_of(input.running_variance);
    output.batches_tracked = input.batches_tracked.data_ptr<std::int64_t>();
  }
  cuda::kernels()->batch_norm.moments(cuda::rows_of(input.x), data_of(input.x),
                                      floats_of(workspace), output);
  return {.rows = input.x,
          .residual = input.residual,
          .bias = input.bias,
          .moments = moments,
          .count = {}};
}

/// Moments of all ranks' batches: what lies between the sums and their use is done by LibTorch.
Saved measure_all_ranks(const Normalisation& input) {
  const torch::NoGradGuard no_grad;
  auto of_rank = torch::empty({2, input.x.size(1)}, input.x.options().dtype(torch::kFloat64));
  auto workspace = workspace_for(input.x);
  auto* data = of_rank.mutable_data_ptr<double>();
  cuda::kernels()->batch_norm.moments_of_rank(cuda::rows_of(input.x), data_of(input.x),
                                              floats_of(workspace), data, data + input.x.size(1));
  cuda::check_launches();
  const auto moments = over_ranks(
      {.mean = of_rank[0], .squares = of_rank[1], .count = row_count(input.x.size(0), input.x)},
      input.reducer.get());
  if (input.update_running) update_running(input, moments.mean, moments.unbiased_variance());
  const auto variance = moments.variance();
  const auto scale = input.weight.detach() / (variance + Normalisation::kEpsilon).sqrt();
  return {.rows = input.x,
          .residual = input.residual,
          .bias = input.bias,
          .moments = torch::stack({moments.mean, variance, scale}).to(torch::kFloat32),
          .count = moments.count};
}

Saved measure(const Normalisation& input) {
  return input.reducer == nullptr ? measure_one_rank(input) : measure_all_ranks(input);
}

torch::Tensor apply_to(const Saved& saved, bool silu, bool in_place) {
  auto y = in_place ? saved.rows : torch::empty_like(saved.rows);
  cuda::kernels()->batch_norm.apply(cuda::rows_of(saved.rows), data_of(saved.rows),
                                    data_of(saved.residual), saved.channels(), silu,
                                    y.mutable_data_ptr());
  cuda::check_launches();
  return y;
}

cuda::ImageSize for_kernels(const ImageSize& size) {
  return {.height = size.height, .width = size.width};
}

torch::Tensor apply_and_pool(const Saved& saved, const ImageSize& size, torch::Tensor* winner) {
  const auto images = saved.rows.size(0) / size.pixels();
  auto pooled = torch::empty({images * size.pooled(), saved.rows.size(1)}, saved.rows.options());
  if (winner != nullptr) {
    *winner = torch::empty(pooled.sizes(), pooled.options().dtype(torch::kUInt8));
  }
  cuda::kernels()->batch_norm.apply_and_pool(
      cuda::rows_of(saved.rows), for_kernels(size), data_of(saved.rows), saved.channels(),
      pooled.mutable_data_ptr(),
      winner != nullptr ? winner->mutable_data_ptr<std::uint8_t>() : nullptr);
  cuda::check_launches();
  return pooled;
}

/// What follows from the sums of the first backward pass: rows of (4, C) float32: gradients of
/// weight and bias, mean gradient and slope.
struct Sums {
  [[nodiscard]] const float* row(std::int64_t i) const {
    return all.const_data_ptr<float>() + i * all.size(1);
  }

  torch::Tensor all;
};

/// The sums of a kernel that finishes them, `run(workspace, output)`.
template <class Run>
Sums sums_of_one_rank(const Saved& saved, const Run& run) {
  auto all = torch::empty({4, saved.rows.size(1)}, saved.moments.options());
  auto workspace = workspace_for(saved.rows);
  auto* data = all.mutable_data_ptr<float>();
  const auto channels = all.size(1);
  run(floats_of(workspace),
      cuda::SumsOutput{.weight_grad = data,
                       .bias_grad = data + channels,
                       .mean_grad = data + 2 * channels,
                       .slope = data + 3 * channels,
                       .variance = saved.moments.const_data_ptr<float>() + channels,
                       .eps = Normalisation::kEpsilon});
  return {all};
}

/// The sums of a kernel that leaves them as they are, `run(workspace, sum, sum_times_x)`.
template <class Run>
Sums sums_of_all_ranks(const Saved& saved, distributed::Communicator* reducer, const Run& run) {
  auto of_rank =
      torch::empty({2, saved.rows.size(1)}, saved.moments.options().dtype(torch::kFloat64));
  auto workspace = workspace_for(saved.rows);
  auto* data = of_rank.mutable_data_ptr<double>();
  run(floats_of(workspace), data, data + of_rank.size(1));
  cuda::check_launches();
  const auto channels = finish_backward({.grad = of_rank[0], .grad_times_x = of_rank[1]},
                                        saved.moments[1], saved.count, reducer);
  return {
      torch::stack({channels.weight_grad, channels.bias_grad, channels.mean_grad, channels.slope})
          .to(torch::kFloat32)};
}

class NormaliseOnCuda : public torch::autograd::Function<NormaliseOnCuda> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& rows,
                               const torch::Tensor& weight, const torch::Tensor& bias,
                               const std::optional<torch::Tensor>& residual,
                               const Normalisation& input) {
    auto given = input;
    given.x = rows, given.weight = weight, given.bias = bias;
    given.residual = residual.value_or(torch::Tensor());
    const auto saved = measure(given);
    context->save_for_backward(saved.list());
    context->saved_data["silu"] = input.silu;
    context->saved_data["reducer"] = to_saved(input.reducer);
    return apply_to(saved, input.silu, /*in_place=*/false);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto saved = Saved::of(context->get_saved_variables());
    const bool silu = context->saved_data["silu"].toBool();
    const auto grad = grads[0].to(saved.rows.scalar_type()).contiguous();
    const auto rows = cuda::rows_of(saved.rows);
    const auto reducer = reducer_of(context->saved_data["reducer"]);
    const auto& kernels = cuda::kernels()->batch_norm;
    const auto sums =
        reducer == nullptr
            ? sums_of_one_rank(saved,
                               [&](float* workspace, const cuda::SumsOutput& output) {
                                 kernels.backward_sums(rows, data_of(grad), data_of(saved.rows),
                                                       data_of(saved.residual), saved.channels(),
                                                       silu, workspace, output);
                               })
            : sums_of_all_ranks(
                  saved, reducer.get(), [&](float* workspace, double* sum, double* sum_times_x) {
                    kernels.backward_sums_of_rank(rows, data_of(grad), data_of(saved.rows),
                                                  data_of(saved.residual), saved.channels(), silu,
                                                  workspace, sum, sum_times_x);
                  });
    auto grad_rows = torch::empty_like(saved.rows);
    const bool asks_residual = saved.residual.defined();
    auto grad_residual = asks_residual ? torch::empty_like(saved.rows) : torch::Tensor();
    kernels.backward_apply(rows, data_of(grad), data_of(saved.rows), data_of(saved.residual),
                           saved.channels(), silu, sums.row(2), sums.row(3),
                           grad_rows.mutable_data_ptr(), data_of(grad_residual));
    cuda::check_launches();
    return {grad_rows, sums.all[0], sums.all[1], grad_residual, torch::Tensor()};
  }
};

class NormaliseAndPoolOnCuda : public torch::autograd::Function<NormaliseAndPoolOnCuda> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& rows,
                               const torch::Tensor& weight, const torch::Tensor& bias,
                               const Normalisation& input, const ImageSize& size) {
    auto given = input;
    given.x = rows, given.weight = weight, given.bias = bias;
    const auto saved = measure(given);
    torch::Tensor winner;
    auto pooled = apply_and_pool(saved, size, &winner);
    auto list = saved.list();
    list.push_back(winner);
    context->save_for_backward(list);
    context->saved_data["reducer"] = to_saved(input.reducer);
    context->saved_data["height"] = size.height;
    context->saved_data["width"] = size.width;
    return pooled;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto list = context->get_saved_variables();
    const auto saved = Saved::of(list);
    const auto* winner = list[5].const_data_ptr<std::uint8_t>();
    const auto size = for_kernels({.height = context->saved_data["height"].toInt(),
                                   .width = context->saved_data["width"].toInt()});
    const auto grad = grads[0].to(saved.rows.scalar_type()).contiguous();
    const auto rows = cuda::rows_of(saved.rows);
    const auto reducer = reducer_of(context->saved_data["reducer"]);
    const auto& kernels = cuda::kernels()->batch_norm;
    const auto sums =
        reducer == nullptr
            ? sums_of_one_rank(saved,
                               [&](float* workspace, const cuda::SumsOutput& output) {
                                 kernels.pool_backward_sums(rows, size, data_of(grad), winner,
                                                            data_of(saved.rows), saved.channels(),
                                                            workspace, output);
                               })
            : sums_of_all_ranks(
                  saved, reducer.get(), [&](float* workspace, double* sum, double* sum_times_x) {
                    kernels.pool_backward_sums_of_rank(rows, size, data_of(grad), winner,
                                                       data_of(saved.rows), saved.channels(),
                                                       workspace, sum, sum_times_x);
                  });
    auto grad_rows = torch::empty_like(saved.rows);
    kernels.pool_backward_apply(rows, size, data_of(grad), winner, data_of(saved.rows),
                                saved.channels(), sums.row(2), sums.row(3),
                                grad_rows.mutable_data_ptr());
    cuda::check_launches();
    return {grad_rows, sums.all[0], sums.all[1], torch::Tensor(), torch::Tensor()};
  }
};

}  // namespace

bool can_use_cuda_kernels(const Normalisation& input) {
  return input.of_batch && input.weight.scalar_type() == torch::kFloat32 &&
         cuda::can_use(input.x, input.x.size(1));
}

torch::Tensor normalise_on_cuda(const Normalisation& input) {
  auto given = input;
  if (given.residual.defined()) given.residual = given.residual.to(given.x.scalar_type());
  if (!torch::GradMode::is_enabled()) {
    return apply_to(measure(given), given.silu, given.may_overwrite);
  }
  std::optional<torch::Tensor> residual;
  if (given.residual.defined()) residual = given.residual;
  return NormaliseOnCuda::apply(given.x, given.weight, given.bias, residual, given);
}

torch::Tensor normalise_and_pool_on_cuda(const Normalisation& input, const ImageSize& size) {
  if (!torch::GradMode::is_enabled()) return apply_and_pool(measure(input), size, nullptr);
  return NormaliseAndPoolOnCuda::apply(input.x, input.weight, input.bias, input, size);
}

}  // namespace raven::nn::backend
