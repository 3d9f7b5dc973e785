// Batch normalisation with SiLU, a residual and the stem's pooling in as few passes over memory as
// the method allows: two to normalise (moments, then values), two backwards. Sums are taken in
// float32 over short runs of rows and finished in float64, in a fixed order.
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <algorithm>

#include "nn/cuda/cuda_kernels.h"

namespace raven::nn::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kFinishRows = 8;  // threads that share a channel's partial sums

/// 16 bytes of a row.
template <class T>
struct Lane {
  static constexpr int kWidth = 16 / sizeof(T);
  float value[kWidth];
};

__device__ inline Lane<float> load(const float* from) {
  const float4 raw = *reinterpret_cast<const float4*>(from);
  return {{raw.x, raw.y, raw.z, raw.w}};
}

__device__ inline Lane<__nv_bfloat16> load(const __nv_bfloat16* from) {
  const uint4 raw = *reinterpret_cast<const uint4*>(from);
  const unsigned words[4] = {raw.x, raw.y, raw.z, raw.w};
  Lane<__nv_bfloat16> lane;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    lane.value[2 * i] = __uint_as_float(words[i] << 16);
    lane.value[2 * i + 1] = __uint_as_float(words[i] & 0xFFFF0000U);
  }
  return lane;
}

__device__ inline void store(float* to, const Lane<float>& lane) {
  *reinterpret_cast<float4*>(to) =
      make_float4(lane.value[0], lane.value[1], lane.value[2], lane.value[3]);
}

__device__ inline void store(__nv_bfloat16* to, const Lane<__nv_bfloat16>& lane) {
  union {
    uint4 raw;
    __nv_bfloat162 pairs[4];
  } packed;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    packed.pairs[i] = __floats2bfloat162_rn(lane.value[2 * i], lane.value[2 * i + 1]);
  }
  *reinterpret_cast<uint4*>(to) = packed.raw;
}

/// A lane of per-channel numbers, float32 whatever the rows hold.
template <class T>
__device__ inline Lane<T> load_channels(const float* from, int channel) {
  Lane<T> lane;
#pragma unroll
  for (int i = 0; i < Lane<T>::kWidth; i += 4) {
    const float4 raw = *reinterpret_cast<const float4*>(from + channel + i);
    lane.value[i] = raw.x;
    lane.value[i + 1] = raw.y;
    lane.value[i + 2] = raw.z;
    lane.value[i + 3] = raw.w;
  }
  return lane;
}

__device__ inline float sigmoid(float x) { return 1.0F / (1.0F + __expf(-x)); }

/// Where a thread works: its lane of channels, and rows first, first + stride, ...
template <class T>
struct Place {
  int channel;
  std::int64_t first, stride;
  bool active;

  __device__ explicit Place(int channels) {
    const int lanes = channels / Lane<T>::kWidth;
    const int rows_each = kThreads / lanes;
    const int row = static_cast<int>(threadIdx.x) / lanes;
    channel = (static_cast<int>(threadIdx.x) % lanes) * Lane<T>::kWidth;
    active = row < rows_each;
    first = static_cast<std::int64_t>(blockIdx.x) * rows_each + row;
    stride = static_cast<std::int64_t>(gridDim.x) * rows_each;
  }
};

/// Adds the lanes of all rows of a block, and writes (2, C) sums of this block.
template <class T>
__device__ inline void write_block_sums(const Place<T>& place, const Lane<T>& a, const Lane<T>& b,
                                        int channels, float* partial) {
  extern __shared__ float shared[];  // (rows of a block, 2, C)
  constexpr int kWidth = Lane<T>::kWidth;
  const int lanes = channels / kWidth, rows_each = kThreads / lanes;
  const int row = static_cast<int>(threadIdx.x) / lanes;
  if (place.active) {
    float* mine = shared + row * 2 * channels + place.channel;
#pragma unroll
    for (int i = 0; i < kWidth; ++i) {
      mine[i] = a.value[i];
      mine[channels + i] = b.value[i];
    }
  }
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < 2 * channels; i += kThreads) {
    float sum = 0;
    for (int r = 0; r < rows_each; ++r) sum += shared[r * 2 * channels + i];
    partial[static_cast<std::int64_t>(blockIdx.x) * 2 * channels + i] = sum;
  }
}

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

/// Sums of channel threadIdx.x over all blocks, valid in threads of row 0.
__device__ inline double2 total(const float* partial, int blocks, int channels) {
  __shared__ double2 sums[kFinishRows][32];
  const int channel = static_cast<int>(blockIdx.x) * 32 + static_cast<int>(threadIdx.x);
  double2 sum = {0, 0};
  if (channel < channels) {
    for (int block = static_cast<int>(threadIdx.y); block < blocks; block += kFinishRows) {
      const auto at = static_cast<std::int64_t>(block) * 2 * channels + channel;
      sum.x += partial[at];
      sum.y += partial[at + channels];
    }
  }
  sums[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y == 0) {
    for (int row = 1; row < kFinishRows; ++row) {
      sum.x += sums[row][threadIdx.x].x;
      sum.y += sums[row][threadIdx.x].y;
    }
  }
  return sum;
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
  if (out.running_mean != nullptr) {
    const double unbiased = variance * count / fmax(count - 1, 1.0);
    const double old_mean = out.running_mean[c], old_variance = out.running_variance[c];
    out.running_mean[c] = static_cast<float>(old_mean + out.momentum * (mean - old_mean));
    out.running_variance[c] =
        static_cast<float>(old_variance + out.momentum * (unbiased - old_variance));
  }
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

cudaStream_t stream_of(const Rows& rows) { return static_cast<cudaStream_t>(rows.stream); }

int multiprocessors() {
  int device = 0, count = 0;
  cudaGetDevice(&device);
  cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device);
  return std::max(count, 1);
}

std::int64_t rows_of_block(const Rows& rows) {
  const std::int64_t width = rows.element == Element::kBfloat16 ? 8 : 4;
  return kThreads / (rows.channels / width);
}

/// Blocks so that the device is full and each thread has several rows.
int blocks_for(const Rows& rows, std::int64_t count) {
  static const int processors = multiprocessors();
  const auto wanted = (count + rows_of_block(rows) * 4 - 1) / (rows_of_block(rows) * 4);
  return static_cast<int>(std::clamp<std::int64_t>(wanted, 1, processors * 8));
}

std::size_t shared_bytes(const Rows& rows) {
  return static_cast<std::size_t>(rows_of_block(rows) * 2 * rows.channels) * sizeof(float);
}

std::int64_t workspace(const Rows& rows) { return blocks_for(rows, rows.rows) * 2 * rows.channels; }

dim3 finish_grid(const Rows& rows) { return {static_cast<unsigned>((rows.channels + 31) / 32)}; }
constexpr dim3 kFinishBlock{32, kFinishRows};

/// body(T{}) with the element's type.
template <class Body>
void with_type(const Rows& rows, const Body& body) {
  if (rows.element == Element::kBfloat16) {
    body(__nv_bfloat16{});
  } else {
    body(float{});
  }
}

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

void moments(const Rows& rows, const void* x, float* partial, const MomentsOutput& out) {
  with_type(rows, [&](auto type) {
    using T = decltype(type);
    const int blocks = blocks_for(rows, rows.rows), channels = static_cast<int>(rows.channels);
    const auto* values = static_cast<const T*>(x);
    moments_kernel<T><<<blocks, kThreads, shared_bytes(rows), stream_of(rows)>>>(values, rows.rows,
                                                                                 channels, partial);
    finish_moments_kernel<T><<<finish_grid(rows), kFinishBlock, 0, stream_of(rows)>>>(
        values, partial, blocks, rows.rows, channels, out);
  });
}

void apply(const Rows& rows, const void* x, const void* residual, const Channels& norm, bool silu,
           void* y) {
  with_type(rows, [&](auto type) {
    using T = decltype(type);
    with_flags(silu, residual != nullptr, [&](auto with_silu, auto with_residual) {
      apply_kernel<T, decltype(with_silu)::value, decltype(with_residual)::value>
          <<<blocks_for(rows, rows.rows), kThreads, 0, stream_of(rows)>>>(
              static_cast<const T*>(x), static_cast<const T*>(residual), norm, rows.rows,
              static_cast<int>(rows.channels), static_cast<T*>(y));
    });
  });
}

/// Launches the first backward pass for either kind of gradient.
template <class T, class Gradient>
void launch_sums(const Rows& rows, const Gradient& gradient, const void* x, const void* residual,
                 const Channels& norm, bool silu, float* partial, const SumsOutput& out) {
  const int blocks = blocks_for(rows, rows.rows), channels = static_cast<int>(rows.channels);
  with_flags(silu, residual != nullptr, [&](auto with_silu, auto with_residual) {
    backward_sums_kernel<T, decltype(with_silu)::value, decltype(with_residual)::value>
        <<<blocks, kThreads, shared_bytes(rows), stream_of(rows)>>>(
            gradient, static_cast<const T*>(x), static_cast<const T*>(residual), norm, rows.rows,
            channels, partial);
  });
  finish_sums_kernel<<<finish_grid(rows), kFinishBlock, 0, stream_of(rows)>>>(
      partial, blocks, rows.rows, channels, out);
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
  with_type(rows, [&](auto type) {
    using T = decltype(type);
    const PlainGradient<T> gradient{static_cast<const T*>(grad), static_cast<int>(rows.channels)};
    launch_sums<T>(rows, gradient, x, residual, norm, silu, partial, out);
  });
}

void backward_apply(const Rows& rows, const void* grad, const void* x, const void* residual,
                    const Channels& norm, bool silu, const float* mean_grad, const float* slope,
                    void* grad_x, void* grad_residual) {
  with_type(rows, [&](auto type) {
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
  with_type(rows, [&](auto type) {
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
  with_type(rows, [&](auto type) {
    using T = decltype(type);
    launch_sums<T>(rows, pooled_gradient<T>(rows, size, grad_pooled, winner), x, nullptr, norm,
                   true, partial, out);
  });
}

void pool_backward_apply(const Rows& rows, const ImageSize& size, const void* grad_pooled,
                         const std::uint8_t* winner, const void* x, const Channels& norm,
                         const float* mean_grad, const float* slope, void* grad_x) {
  with_type(rows, [&](auto type) {
    using T = decltype(type);
    launch_apply<T>(rows, pooled_gradient<T>(rows, size, grad_pooled, winner), x, nullptr, norm,
                    true, mean_grad, slope, grad_x, nullptr);
  });
}

const char* last_error() {
  const auto error = cudaGetLastError();
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

constexpr Kernels kKernels{workspace,
                           moments,
                           apply,
                           backward_sums,
                           backward_apply,
                           apply_and_pool,
                           pool_backward_sums,
                           pool_backward_apply,
                           last_error};

}  // namespace
}  // namespace raven::nn::cuda

extern "C" const raven::nn::cuda::Kernels* raven_cuda_kernels() {
  return &raven::nn::cuda::kKernels;
}
