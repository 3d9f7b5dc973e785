// Batch normalisation with SiLU, a residual and the stem's pooling in as few passes over memory as
// the method allows: two to normalise (moments, then values), two backwards. Sums are taken in
// float32 over short runs of rows and finished in float64, in a fixed order.
#include "nn/cuda/lanes.cuh"

namespace raven::nn::cuda {
namespace {

template <class T>
__global__ void __launch_bounds__(kThreads)
    moments_kernel(const T* x, std::int64_t rows, int channels, float* partial) {
  const Place<T> place(channels);
  Lane<T> sum{}, square{};
  if (place.active) {
    const auto shift = load(x + place.channel);  // near the mean, so that squares do not cancel
    for (std::int64_t row = place.first; row < rows; row += place.stride) {
      const auto v = load(x + row * channels + place.channel);
#pragma unroll
      for (int i = 0; i < Lane<T>::kWidth; ++i) {
        const float distance = v.value[i] - shift.value[i];
        sum.value[i] += distance;
        square.value[i] += distance * distance;
      }
    }
  }
  write_block_sums(place, sum, square, channels, partial);
}

template <class T>
__global__ void finish_moments_kernel(const T* x, const float* partial, int blocks,
                                      std::int64_t rows, int channels, MomentsOutput out) {
  const auto sum = total(partial, blocks, channels);
  const int c = static_cast<int>(blockIdx.x) * 32 + static_cast<int>(threadIdx.x);
  if (threadIdx.y != 0 || c >= channels) return;
  const double count = static_cast<double>(rows);
  const double distance = sum.x / count;
  const double mean = static_cast<double>(static_cast<float>(x[c])) + distance;
  const double variance = fmax(sum.y / count - distance * distance, 0.0);
  out.mean[c] = static_cast<float>(mean);
  out.variance[c] = static_cast<float>(variance);
  out.scale[c] = static_cast<float>(static_cast<double>(out.weight[c]) / sqrt(variance + out.eps));
  if (out.batches_tracked != nullptr && c == 0) ++*out.batches_tracked;
  if (out.running_mean != nullptr) {
    const double unbiased = variance * count / fmax(count - 1, 1.0);
    const double old_mean = out.running_mean[c], old_variance = out.running_variance[c];
    out.running_mean[c] = static_cast<float>(old_mean + out.momentum * (mean - old_mean));
    out.running_variance[c] =
        static_cast<float>(old_variance + out.momentum * (unbiased - old_variance));
  }
}

template <class T>
__global__ void moments_of_rank_kernel(const T* x, const float* partial, int blocks,
                                       std::int64_t rows, int channels, double* mean,
                                       double* squares) {
  const auto sum = total(partial, blocks, channels);
  const int c = static_cast<int>(blockIdx.x) * 32 + static_cast<int>(threadIdx.x);
  if (threadIdx.y != 0 || c >= channels) return;
  const double distance = sum.x / static_cast<double>(rows);
  mean[c] = static_cast<double>(static_cast<float>(x[c])) + distance;
  squares[c] = fmax(sum.y - distance * sum.x, 0.0);
}

template <class T, bool kSilu, bool kResidual>
__global__ void __launch_bounds__(kThreads)
    apply_kernel(const T* x, const T* residual, Channels norm, std::int64_t rows, int channels,
                 T* y) {
  const Place<T> place(channels);
  if (!place.active) return;
  const auto mean = load_channels<T>(norm.mean, place.channel);
  const auto scale = load_channels<T>(norm.scale, place.channel);
  const auto bias = load_channels<T>(norm.bias, place.channel);
  for (std::int64_t row = place.first; row < rows; row += place.stride) {
    const auto at = row * channels + place.channel;
    auto v = load(x + at);
    Lane<T> shortcut{};
    if (kResidual) shortcut = load(residual + at);
#pragma unroll
    for (int i = 0; i < Lane<T>::kWidth; ++i) {
      float z = (v.value[i] - mean.value[i]) * scale.value[i] + bias.value[i];
      if (kResidual) z += shortcut.value[i];
      v.value[i] = kSilu ? z * sigmoid(z) : z;
    }
    store(y + at, v);
  }
}

/// The gradient with respect to what SiLU sees, from the one behind it.
template <bool kSilu>
__device__ inline float before_silu(float grad, float z) {
  if (!kSilu) return grad;
  const float s = sigmoid(z);
  return grad * s * (1.0F + z * (1.0F - s));
}

/// Gradients of whole rows, or of pooled ones that are looked up by who won.
template <class T>
struct PlainGradient {
  const T* grad;
  int channels;
  __device__ Lane<T> at(std::int64_t row, int channel) const {
    return load(grad + row * channels + channel);
  }
};

template <class T>
struct PooledGradient {
  const T* grad;
  const std::uint8_t* winner;
  int channels, height, width;

  __device__ Lane<T> at(std::int64_t row, int channel) const {
    const int pooled_height = (height + 1) / 2, pooled_width = (width + 1) / 2;
    const auto pixel = static_cast<int>(row % (height * width));
    const auto image = row / (height * width);
    const int y = pixel / width, x = pixel % width;
    Lane<T> sum{};
    for (int window_y = y / 2; window_y <= (y + 1) / 2 && window_y < pooled_height; ++window_y) {
      for (int window_x = x / 2; window_x <= (x + 1) / 2 && window_x < pooled_width; ++window_x) {
        const int place = (y - (2 * window_y - 1)) * 3 + x - (2 * window_x - 1);
        const auto from =
            ((image * pooled_height + window_y) * pooled_width + window_x) * channels + channel;
        const auto g = load(grad + from);
        alignas(8) std::uint8_t won[Lane<T>::kWidth];
        if constexpr (Lane<T>::kWidth == 8) {
          *reinterpret_cast<uint2*>(won) = *reinterpret_cast<const uint2*>(winner + from);
        } else {
          *reinterpret_cast<unsigned*>(won) = *reinterpret_cast<const unsigned*>(winner + from);
        }
#pragma unroll
        for (int i = 0; i < Lane<T>::kWidth; ++i) {
          if (won[i] == place) sum.value[i] += g.value[i];
        }
      }
    }
    return sum;
  }
};

template <class T, bool kSilu, bool kResidual, class Gradient>
__global__ void __launch_bounds__(kThreads)
    backward_sums_kernel(Gradient gradient, const T* x, const T* residual, Channels norm,
                         std::int64_t rows, int channels, float* partial) {
  const Place<T> place(channels);
  Lane<T> sum{}, times_x{};
  if (place.active) {
    const auto mean = load_channels<T>(norm.mean, place.channel);
    const auto scale = load_channels<T>(norm.scale, place.channel);
    const auto bias = load_channels<T>(norm.bias, place.channel);
    for (std::int64_t row = place.first; row < rows; row += place.stride) {
      const auto at = row * channels + place.channel;
      const auto g = gradient.at(row, place.channel);
      const auto v = load(x + at);
      Lane<T> shortcut{};
      if (kResidual) shortcut = load(residual + at);
#pragma unroll
      for (int i = 0; i < Lane<T>::kWidth; ++i) {
        const float distance = v.value[i] - mean.value[i];
        float z = distance * scale.value[i] + bias.value[i];
        if (kResidual) z += shortcut.value[i];
        const float grad = before_silu<kSilu>(g.value[i], z);
        sum.value[i] += grad;
        times_x.value[i] += grad * distance;
      }
    }
  }
  write_block_sums(place, sum, times_x, channels, partial);
}

__global__ void finish_sums_kernel(const float* partial, int blocks, std::int64_t rows,
                                   int channels, SumsOutput out) {
  const auto sum = total(partial, blocks, channels);
  const int c = static_cast<int>(blockIdx.x) * 32 + static_cast<int>(threadIdx.x);
  if (threadIdx.y != 0 || c >= channels) return;
  const double count = static_cast<double>(rows);
  const double inverse_variance = 1 / (static_cast<double>(out.variance[c]) + out.eps);
  out.mean_grad[c] = static_cast<float>(sum.x / count);
  out.slope[c] = static_cast<float>(sum.y * inverse_variance / count);
  out.weight_grad[c] = static_cast<float>(sum.y * sqrt(inverse_variance));
  out.bias_grad[c] = static_cast<float>(sum.x);
}

__global__ void sums_of_rank_kernel(const float* partial, int blocks, int channels, double* out,
                                    double* out_times_x) {
  const auto sum = total(partial, blocks, channels);
  const int c = static_cast<int>(blockIdx.x) * 32 + static_cast<int>(threadIdx.x);
  if (threadIdx.y != 0 || c >= channels) return;
  out[c] = sum.x;
  out_times_x[c] = sum.y;
}

template <class T, bool kSilu, bool kResidual, class Gradient>
__global__ void __launch_bounds__(kThreads)
    backward_apply_kernel(Gradient gradient, const T* x, const T* residual, Channels norm,
                          const float* mean_grad, const float* slope, std::int64_t rows,
                          int channels, T* grad_x, T* grad_residual) {
  const Place<T> place(channels);
  if (!place.active) return;
  const auto mean = load_channels<T>(norm.mean, place.channel);
  const auto scale = load_channels<T>(norm.scale, place.channel);
  const auto bias = load_channels<T>(norm.bias, place.channel);
  const auto middle = load_channels<T>(mean_grad, place.channel);
  const auto lean = load_channels<T>(slope, place.channel);
  for (std::int64_t row = place.first; row < rows; row += place.stride) {
    const auto at = row * channels + place.channel;
    auto g = gradient.at(row, place.channel);
    auto v = load(x + at);
    Lane<T> shortcut{};
    if (kResidual) shortcut = load(residual + at);
#pragma unroll
    for (int i = 0; i < Lane<T>::kWidth; ++i) {
      const float distance = v.value[i] - mean.value[i];
      float z = distance * scale.value[i] + bias.value[i];
      if (kResidual) z += shortcut.value[i];
      g.value[i] = before_silu<kSilu>(g.value[i], z);
      v.value[i] = scale.value[i] * (g.value[i] - middle.value[i] - distance * lean.value[i]);
    }
    store(grad_x + at, v);
    if (kResidual && grad_residual != nullptr) store(grad_residual + at, g);
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    pool_kernel(const T* x, Channels norm, std::int64_t pooled_rows, int channels, int height,
                int width, T* pooled, std::uint8_t* winner) {
  const Place<T> place(channels);
  if (!place.active) return;
  const int pooled_height = (height + 1) / 2, pooled_width = (width + 1) / 2;
  const auto mean = load_channels<T>(norm.mean, place.channel);
  const auto scale = load_channels<T>(norm.scale, place.channel);
  const auto bias = load_channels<T>(norm.bias, place.channel);
  for (std::int64_t row = place.first; row < pooled_rows; row += place.stride) {
    const auto pixel = static_cast<int>(row % (pooled_height * pooled_width));
    const auto image = row / (pooled_height * pooled_width);
    const int top = pixel / pooled_width * 2 - 1, left = pixel % pooled_width * 2 - 1;
    Lane<T> best;
    alignas(8) std::uint8_t won[Lane<T>::kWidth];
    bool first = true;
    for (int dy = 0; dy < 3; ++dy) {
      for (int dx = 0; dx < 3; ++dx) {
        const int y = top + dy, xx = left + dx;
        if (y < 0 || y >= height || xx < 0 || xx >= width) continue;
        const auto v = load(x + ((image * height + y) * width + xx) * channels + place.channel);
#pragma unroll
        for (int i = 0; i < Lane<T>::kWidth; ++i) {
          const float z = (v.value[i] - mean.value[i]) * scale.value[i] + bias.value[i];
          const float value = z * sigmoid(z);
          if (first || value > best.value[i] || isnan(value)) {
            best.value[i] = value;
            won[i] = static_cast<std::uint8_t>(dy * 3 + dx);
          }
        }
        first = false;
      }
    }
    const auto at = row * channels + place.channel;
    store(pooled + at, best);
    if (winner == nullptr) continue;
    if constexpr (Lane<T>::kWidth == 8) {
      *reinterpret_cast<uint2*>(winner + at) = *reinterpret_cast<const uint2*>(won);
    } else {
      *reinterpret_cast<unsigned*>(winner + at) = *reinterpret_cast<const unsigned*>(won);
    }
  }
}

std::int64_t workspace(const Rows& rows) { return blocks_for(rows, rows.rows) * 2 * rows.channels; }

template <bool kValue>
struct Flag {
  static constexpr bool value = kValue;
};

/// body(Flag<silu>, Flag<residual>).
template <class Body>
void with_flags(bool silu, bool residual, const Body& body) {
  if (silu && residual) return body(Flag<true>{}, Flag<true>{});
  if (silu) return body(Flag<true>{}, Flag<false>{});
  if (residual) return body(Flag<false>{}, Flag<true>{});
  body(Flag<false>{}, Flag<false>{});
}

/// Sums of x over the rows of each of so many blocks, which are returned.
template <class T>
int launch_moments(const Rows& rows, const T* x, float* partial) {
  const int blocks = blocks_for(rows, rows.rows);
  moments_kernel<T><<<blocks, kThreads, shared_bytes(rows), stream_of(rows)>>>(
      x, rows.rows, static_cast<int>(rows.channels), partial);
  return blocks;
}

void moments(const Rows& rows, const void* x, float* partial, const MomentsOutput& out) {
  with_type(rows.element, [&](auto type) {
    using T = decltype(type);
    const auto* values = static_cast<const T*>(x);
    const int blocks = launch_moments<T>(rows, values, partial);
    const int channels = static_cast<int>(rows.channels);
    finish_moments_kernel<T><<<finish_grid(rows), kFinishBlock, 0, stream_of(rows)>>>(
        values, partial, blocks, rows.rows, channels, out);
  });
}

void moments_of_rank(const Rows& rows, const void* x, float* partial, double* mean,
                     double* squares) {
  with_type(rows.element, [&](auto type) {
    using T = decltype(type);
    const auto* values = static_cast<const T*>(x);
    const int blocks = launch_moments<T>(rows, values, partial);
    moments_of_rank_kernel<T><<<finish_grid(rows), kFinishBlock, 0, stream_of(rows)>>>(
        values, partial, blocks, rows.rows, static_cast<int>(rows.channels), mean, squares);
  });
}

void apply(const Rows& rows, const void* x, const void* residual, const Channels& norm, bool silu,
           void* y) {
  with_type(rows.element, [&](auto type) {
    using T = decltype(type);
    with_flags(silu, residual != nullptr, [&](auto with_silu, auto with_residual) {
      apply_kernel<T, decltype(with_silu)::value, decltype(with_residual)::value>
          <<<blocks_for(rows, rows.rows), kThreads, 0, stream_of(rows)>>>(
              static_cast<const T*>(x), static_cast<const T*>(residual), norm, rows.rows,
              static_cast<int>(rows.channels), static_cast<T*>(y));
    });
  });
}

/// The first backward pass for either kind of gradient: sums over the rows of each of so many
/// blocks, which are returned.
template <class T, class Gradient>
int launch_sums(const Rows& rows, const Gradient& gradient, const void* x, const void* residual,
                const Channels& norm, bool silu, float* partial) {
  const int blocks = blocks_for(rows, rows.rows), channels = static_cast<int>(rows.channels);
  with_flags(silu, residual != nullptr, [&](auto with_silu, auto with_residual) {
    backward_sums_kernel<T, decltype(with_silu)::value, decltype(with_residual)::value>
        <<<blocks, kThreads, shared_bytes(rows), stream_of(rows)>>>(
            gradient, static_cast<const T*>(x), static_cast<const T*>(residual), norm, rows.rows,
            channels, partial);
  });
  return blocks;
}

void finish_sums(const Rows& rows, const float* partial, int blocks, const SumsOutput& out) {
  finish_sums_kernel<<<finish_grid(rows), kFinishBlock, 0, stream_of(rows)>>>(
      partial, blocks, rows.rows, static_cast<int>(rows.channels), out);
}

void finish_sums_of_rank(const Rows& rows, const float* partial, int blocks, double* sum,
                         double* sum_times_x) {
  sums_of_rank_kernel<<<finish_grid(rows), kFinishBlock, 0, stream_of(rows)>>>(
      partial, blocks, static_cast<int>(rows.channels), sum, sum_times_x);
}

template <class T, class Gradient>
void launch_apply(const Rows& rows, const Gradient& gradient, const void* x, const void* residual,
                  const Channels& norm, bool silu, const float* mean_grad, const float* slope,
                  void* grad_x, void* grad_residual) {
  with_flags(silu, residual != nullptr, [&](auto with_silu, auto with_residual) {
    backward_apply_kernel<T, decltype(with_silu)::value, decltype(with_residual)::value>
        <<<blocks_for(rows, rows.rows), kThreads, 0, stream_of(rows)>>>(
            gradient, static_cast<const T*>(x), static_cast<const T*>(residual), norm, mean_grad,
            slope, rows.rows, static_cast<int>(rows.channels), static_cast<T*>(grad_x),
            static_cast<T*>(grad_residual));
  });
}

void backward_sums(const Rows& rows, const void* grad, const void* x, const void* residual,
                   const Channels& norm, bool silu, float* partial, const SumsOutput& out) {
  with_type(rows.element, [&](auto type) {
    using T = decltype(type);
    const PlainGradient<T> gradient{static_cast<const T*>(grad), static_cast<int>(rows.channels)};
    const int blocks = launch_sums<T>(rows, gradient, x, residual, norm, silu, partial);
    finish_sums(rows, partial, blocks, out);
  });
}

void backward_sums_of_rank(const Rows& rows, const void* grad, const void* x, const void* residual,
                           const Channels& norm, bool silu, float* partial, double* sum,
                           double* sum_times_x) {
  with_type(rows.element, [&](auto type) {
    using T = decltype(type);
    const PlainGradient<T> gradient{static_cast<const T*>(grad), static_cast<int>(rows.channels)};
    const int blocks = launch_sums<T>(rows, gradient, x, residual, norm, silu, partial);
    finish_sums_of_rank(rows, partial, blocks, sum, sum_times_x);
  });
}

void backward_apply(const Rows& rows, const void* grad, const void* x, const void* residual,
                    const Channels& norm, bool silu, const float* mean_grad, const float* slope,
                    void* grad_x, void* grad_residual) {
  with_type(rows.element, [&](auto type) {
    using T = decltype(type);
    const PlainGradient<T> gradient{static_cast<const T*>(grad), static_cast<int>(rows.channels)};
    launch_apply<T>(rows, gradient, x, residual, norm, silu, mean_grad, slope, grad_x,
                    grad_residual);
  });
}

void apply_and_pool(const Rows& rows, const ImageSize& size, const void* x, const Channels& norm,
                    void* pooled, std::uint8_t* winner) {
  const auto images = rows.rows / (size.height * size.width);
  const auto pooled_rows = images * ((size.height + 1) / 2) * ((size.width + 1) / 2);
  with_type(rows.element, [&](auto type) {
    using T = decltype(type);
    pool_kernel<T><<<blocks_for(rows, pooled_rows), kThreads, 0, stream_of(rows)>>>(
        static_cast<const T*>(x), norm, pooled_rows, static_cast<int>(rows.channels),
        static_cast<int>(size.height), static_cast<int>(size.width), static_cast<T*>(pooled),
        winner);
  });
}

template <class T>
PooledGradient<T> pooled_gradient(const Rows& rows, const ImageSize& size, const void* grad,
                                  const std::uint8_t* winner) {
  return {static_cast<const T*>(grad), winner, static_cast<int>(rows.channels),
          static_cast<int>(size.height), static_cast<int>(size.width)};
}

void pool_backward_sums(const Rows& rows, const ImageSize& size, const void* grad_pooled,
                        const std::uint8_t* winner, const void* x, const Channels& norm,
                        float* partial, const SumsOutput& out) {
  with_type(rows.element, [&](auto type) {
    using T = decltype(type);
    const int blocks = launch_sums<T>(rows, pooled_gradient<T>(rows, size, grad_pooled, winner), x,
                                      nullptr, norm, true, partial);
    finish_sums(rows, partial, blocks, out);
  });
}

void pool_backward_sums_of_rank(const Rows& rows, const ImageSize& size, const void* grad_pooled,
                                const std::uint8_t* winner, const void* x, const Channels& norm,
                                float* partial, double* sum, double* sum_times_x) {
  with_type(rows.element, [&](auto type) {
    using T = decltype(type);
    const int blocks = launch_sums<T>(rows, pooled_gradient<T>(rows, size, grad_pooled, winner), x,
                                      nullptr, norm, true, partial);
    finish_sums_of_rank(rows, partial, blocks, sum, sum_times_x);
  });
}

void pool_backward_apply(const Rows& rows, const ImageSize& size, const void* grad_pooled,
                         const std::uint8_t* winner, const void* x, const Channels& norm,
                         const float* mean_grad, const float* slope, void* grad_x) {
  with_type(rows.element, [&](auto type) {
    using T = decltype(type);
    launch_apply<T>(rows, pooled_gradient<T>(rows, size, grad_pooled, winner), x, nullptr, norm,
                    true, mean_grad, slope, grad_x, nullptr);
  });
}

}  // namespace

const BatchNormKernels& batch_norm_kernels() {
  static constexpr BatchNormKernels kKernels{workspace,
                                             moments,
                                             apply,
                                             backward_sums,
                                             backward_apply,
                                             apply_and_pool,
                                             pool_backward_sums,
                                             pool_backward_apply,
                                             moments_of_rank,
                                             backward_sums_of_rank,
                                             pool_backward_sums_of_rank};
  return kKernels;
}

}  // namespace raven::nn::cuda
