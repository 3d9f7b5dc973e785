#include "nn/backend/normalise_cpu.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "nn/kernels/batch_norm_kernels.h"
#include "nn/parallel.h"

namespace raven::nn::backend {
namespace {

using kernels::batch_norm_loops;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Rows in parts of fixed size, so that sums are the same for any number of threads.
struct Parts {
  explicit Parts(const torch::Tensor& rows)
      : num_rows(rows.size(0)),
        channels(rows.size(1)),
        rows_each(std::max<std::int64_t>(8, kFloats / channels)),
        count((num_rows + rows_each - 1) / rows_each) {}

  template <class Body>
  void each(const Body& body) const {
    parallel_for(count, [&](std::int64_t part) {
      body(part, part * rows_each, std::min(num_rows, (part + 1) * rows_each));
    });
  }

  static constexpr std::int64_t kFloats = 16384;  // 64 KiB, within a core's own cache
  std::int64_t num_rows, channels, rows_each, count;
};

std::size_t index(std::int64_t value) { return static_cast<std::size_t>(value); }

const double* doubles_of(const torch::Tensor& x) { return x.const_data_ptr<double>(); }

/// Of this rank's rows.
Moments moments_of(const torch::Tensor& rows) {
  const Parts parts(rows);
  std::vector<double> means(index(parts.count * parts.channels)), squares(means.size());
  const auto* x = rows.const_data_ptr<float>();
  parts.each([&](std::int64_t part, std::int64_t first, std::int64_t last) {
    const auto start = index(part * parts.channels);
    batch_norm_loops().moments(x, first, last, parts.channels, &means[start], &squares[start]);
  });
  // Chan, Golub and LeVeque: moments of the whole from moments of its parts.
  Moments moments{.mean = torch::empty({parts.channels}, torch::kFloat64),
                  .squares = torch::empty({parts.channels}, torch::kFloat64),
                  .count = row_count(parts.num_rows, rows)};
  for (std::int64_t c = 0; c < parts.channels; ++c) {
    const auto rows_of = [&](std::int64_t part) {
      return static_cast<double>(
          std::min(parts.rows_each, parts.num_rows - part * parts.rows_each));
    };
    double mean = 0, square = 0;
    for (std::int64_t part = 0; part < parts.count; ++part) {
      mean += rows_of(part) * means[index(part * parts.channels + c)];
    }
    mean /= static_cast<double>(parts.num_rows);
    for (std::int64_t part = 0; part < parts.count; ++part) {
      const double distance = means[index(part * parts.channels + c)] - mean;
      square += squares[index(part * parts.channels + c)] + rows_of(part) * distance * distance;
    }
    moments.mean.data_ptr<double>()[c] = mean;
    moments.squares.data_ptr<double>()[c] = square;
  }
  return moments;
}

/// Tensors of one normalisation, as saved for backward.
struct Saved {
  torch::Tensor rows, bias, residual, mean, variance, scale;
  torch::Tensor count;  // of rows of all ranks; undefined with running moments

  [[nodiscard]] kernels::BatchNormChannels channels() const {
    return {.mean = mean.const_data_ptr<float>(),
            .scale = scale.const_data_ptr<float>(),
            .bias = bias.const_data_ptr<float>()};
  }
  [[nodiscard]] const float* residual_data() const {
    return residual.defined() ? residual.const_data_ptr<float>() : nullptr;
  }
  [[nodiscard]] variable_list list() const {
    return {rows, bias, residual, mean, variance, scale, count};
  }
  static Saved of(const variable_list& list) {
    return {list[0], list[1], list[2], list[3], list[4], list[5], list[6]};
  }
};

/// Moments to normalise with; running ones are updated on the way.
Saved measure(const Normalisation& input) {
  const torch::NoGradGuard no_grad;
  Saved saved{.rows = input.x,
              .bias = input.bias,
              .residual = input.residual,
              .mean = input.running_mean,
              .variance = input.running_variance,
              .scale = {},
              .count = {}};
  if (input.of_batch) {
    const auto moments = over_ranks(moments_of(input.x), input.reducer.get());
    const auto channels = input.x.size(1);
    const auto *mean = doubles_of(moments.mean), *squares = doubles_of(moments.squares);
    const double count = *doubles_of(moments.count);
    saved.mean = torch::empty({channels}, torch::kFloat32);
    saved.variance = torch::empty({channels}, torch::kFloat32);
    saved.count = moments.count;
    for (std::int64_t c = 0; c < channels; ++c) {
      saved.mean.data_ptr<float>()[c] = static_cast<float>(mean[c]);
      saved.variance.data_ptr<float>()[c] = static_cast<float>(squares[c] / count);
    }
    if (input.update_running) {
      update_running(input, saved.mean, saved.variance * (count / std::max(1.0, count - 1)));
    }
  }
  saved.scale = input.weight.detach() * torch::rsqrt(saved.variance + Normalisation::kEpsilon);
  return saved;
}

void normalise_rows(const Saved& saved, bool silu, torch::Tensor& y) {
  const Parts parts(saved.rows);
  const auto* x = saved.rows.const_data_ptr<float>();
  auto* out = y.mutable_data_ptr<float>();
  const auto channels = saved.channels();
  const auto* residual = saved.residual_data();
  parts.each([&](std::int64_t, std::int64_t first, std::int64_t last) {
    batch_norm_loops().apply(x, residual, channels, silu, first, last, parts.channels, out);
  });
}

struct Gradients {
  torch::Tensor rows, weight, bias;
};

/// Adds up per-part sums (count x C).
torch::Tensor total(const std::vector<double>& parts, std::int64_t channels) {
  auto sum = torch::zeros({channels}, torch::kFloat64);
  auto* sums = sum.data_ptr<double>();
  for (std::size_t i = 0; i < parts.size(); ++i) sums[i % index(channels)] += parts[i];
  return sum;
}

/// From the gradient before SiLU and its sums per channel. `grad` may be overwritten when `own`.
Gradients apply_backward(const Saved& saved, distributed::Communicator* reducer, torch::Tensor grad,
                         bool own, const BackwardSums& sums) {
  const Parts parts(saved.rows);
  const auto all = over_ranks(sums, reducer);
  auto mean_grad = torch::empty({parts.channels}, torch::kFloat32);
  auto slope = torch::empty_like(mean_grad);
  Gradients gradients{.rows = own ? grad : torch::empty_like(saved.rows),
                      .weight = torch::empty_like(mean_grad),
                      .bias = torch::empty_like(mean_grad)};
  // As finish_backward, without an operator for each step over so few numbers.
  const auto *own_sum = doubles_of(sums.grad), *own_sum_times_x = doubles_of(sums.grad_times_x);
  const auto *sum = doubles_of(all.grad), *sum_times_x = doubles_of(all.grad_times_x);
  const auto* variance = saved.variance.const_data_ptr<float>();
  const double count = *doubles_of(saved.count);
  for (std::int64_t c = 0; c < parts.channels; ++c) {
    const double inverse_variance =
        1 / (static_cast<double>(variance[c]) + Normalisation::kEpsilon);
    mean_grad.data_ptr<float>()[c] = static_cast<float>(sum[c] / count);
    slope.data_ptr<float>()[c] = static_cast<float>(sum_times_x[c] * inverse_variance / count);
    gradients.weight.data_ptr<float>()[c] =
        static_cast<float>(own_sum_times_x[c] * std::sqrt(inverse_variance));
    gradients.bias.data_ptr<float>()[c] = static_cast<float>(own_sum[c]);
  }
  const auto* g = grad.const_data_ptr<float>();
  const auto* x = saved.rows.const_data_ptr<float>();
  auto* out = gradients.rows.mutable_data_ptr<float>();
  const auto channels = saved.channels();
  const auto* mean_grad_data = mean_grad.const_data_ptr<float>();
  const auto* slope_data = slope.const_data_ptr<float>();
  parts.each([&](std::int64_t, std::int64_t first, std::int64_t last) {
    batch_norm_loops().backward_apply(g, x, channels, mean_grad_data, slope_data, first, last,
                                      parts.channels, out);
  });
  return gradients;
}

class Normalise : public torch::autograd::Function<Normalise> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& rows,
                               const torch::Tensor& weight, const torch::Tensor& bias,
                               const std::optional<torch::Tensor>& residual,
                               const Normalisation& input) {
    auto given = input;
    given.x = rows, given.weight = weight, given.bias = bias;
    given.residual = residual.value_or(torch::Tensor());
    const auto saved = measure(given);
    auto y = torch::empty_like(rows);
    normalise_rows(saved, input.silu, y);
    context->save_for_backward(saved.list());
    context->saved_data["silu"] = input.silu;
    context->saved_data["reducer"] = to_saved(input.reducer);
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const auto saved = Saved::of(context->get_saved_variables());
    const bool silu = context->saved_data["silu"].toBool();
    const auto grad = grads[0].contiguous();
    const Parts parts(saved.rows);
    std::vector<double> sums(index(parts.count * parts.channels)), sums_times_x(sums.size());
    auto before_silu = silu ? torch::empty_like(saved.rows) : grad;
    {
      const auto* g = grad.const_data_ptr<float>();
      const auto* x = saved.rows.const_data_ptr<float>();
      auto* out = silu ? before_silu.mutable_data_ptr<float>() : nullptr;
      const auto channels = saved.channels();
      const auto* residual = saved.residual_data();
      parts.each([&](std::int64_t part, std::int64_t first, std::int64_t last) {
        batch_norm_loops().backward_sums(g, x, residual, channels, silu, first, last,
                                         parts.channels, out, &sums[index(part * parts.channels)],
                                         &sums_times_x[index(part * parts.channels)]);
      });
    }
    const bool own = silu && !saved.residual.defined();
    const auto gradients = apply_backward(
        saved, reducer_of(context->saved_data["reducer"]).get(), before_silu, own,
        {.grad = total(sums, parts.channels), .grad_times_x = total(sums_times_x, parts.channels)});
    return {gradients.rows, gradients.weight, gradients.bias,
            saved.residual.defined() ? before_silu : torch::Tensor(), torch::Tensor()};
  }
};

/// Image by image through a buffer that stays in the cache; `winner` is filled when given.
torch::Tensor apply_and_pool(const Saved& saved, const ImageSize& size, torch::Tensor* winner) {
  const auto channels = saved.rows.size(1);
  const auto images = saved.rows.size(0) / size.pixels();
  auto pooled = torch::empty({images * size.pooled(), channels}, saved.rows.options());
  if (winner != nullptr) *winner = torch::empty(pooled.sizes(), torch::kUInt8);
  auto* won = winner != nullptr ? winner->mutable_data_ptr<std::uint8_t>() : nullptr;
  const auto* x = saved.rows.const_data_ptr<float>();
  auto* out = pooled.mutable_data_ptr<float>();
  const auto norm = saved.channels();
  const auto pooled_floats = size.pooled() * channels;
  parallel_for(images, [&](std::int64_t image) {
    std::vector<float> y(index(size.pixels() * channels));
    batch_norm_loops().apply(x + image * size.pixels() * channels, nullptr, norm, true, 0,
                             size.pixels(), channels, y.data());
    batch_norm_loops().max_pool(y.data(), size.height, size.width, channels,
                                out + image * pooled_floats,
                                won == nullptr ? nullptr : won + image * pooled_floats);
  });
  return pooled;
}

class NormaliseAndPool : public torch::autograd::Function<NormaliseAndPool> {
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
    const ImageSize size{context->saved_data["height"].toInt(),
                         context->saved_data["width"].toInt()};
    const auto channels = saved.rows.size(1);
    const auto images = saved.rows.size(0) / size.pixels();
    const auto grad = grads[0].contiguous();
    auto before_silu = torch::empty_like(saved.rows);
    std::vector<double> sums(index(images * channels)), sums_times_x(sums.size());
    const auto* g = grad.const_data_ptr<float>();
    const auto* won = list[7].const_data_ptr<std::uint8_t>();
    const auto* x = saved.rows.const_data_ptr<float>();
    auto* out = before_silu.mutable_data_ptr<float>();
    const auto norm = saved.channels();
    parallel_for(images, [&](std::int64_t image) {
      const auto start = image * size.pixels() * channels;
      auto* grad_image = out + start;
      std::fill_n(grad_image, size.pixels() * channels, 0.0F);
      batch_norm_loops().max_pool_backward(g + image * size.pooled() * channels,
                                           won + image * size.pooled() * channels, size.height,
                                           size.width, channels, grad_image);
      batch_norm_loops().backward_sums(grad_image, x + start, nullptr, norm, true, 0, size.pixels(),
                                       channels, grad_image, &sums[index(image * channels)],
                                       &sums_times_x[index(image * channels)]);
    });
    const auto gradients = apply_backward(
        saved, reducer_of(context->saved_data["reducer"]).get(), before_silu,
        /*own=*/true,
        {.grad = total(sums, channels), .grad_times_x = total(sums_times_x, channels)});
    return {gradients.rows, gradients.weight, gradients.bias, torch::Tensor(), torch::Tensor()};
  }
};

}  // namespace

bool can_use_own_loops(const Normalisation& input) {
  return input.x.device().is_cpu() && input.x.scalar_type() == torch::kFloat32 &&
         input.weight.scalar_type() == torch::kFloat32 && input.x.numel() > 0 &&
         (input.of_batch || !torch::GradMode::is_enabled());
}

torch::Tensor normalise_on_cpu(const Normalisation& input) {
  if (torch::GradMode::is_enabled()) {
    std::optional<torch::Tensor> residual;
    if (input.residual.defined()) residual = input.residual;
    return Normalise::apply(input.x, input.weight, input.bias, residual, input);
  }
  auto y = input.may_overwrite ? input.x : torch::empty_like(input.x);
  normalise_rows(measure(input), input.silu, y);
  return y;
}

torch::Tensor normalise_and_pool_on_cpu(const Normalisation& input, const ImageSize& size) {
  if (torch::GradMode::is_enabled()) {
    return NormaliseAndPool::apply(input.x, input.weight, input.bias, input, size);
  }
  return apply_and_pool(measure(input), size, nullptr);
}

}  // namespace raven::nn::backend
