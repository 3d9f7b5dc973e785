// Compiled once for each instruction set (RAVEN_INSTRUCTION_SET, see CMakeLists.txt). Only plain
// loops: an inline function of the standard library, compiled here for a newer processor, could
// replace the common copy that older processors run. Channels are taken in blocks of a fixed width,
// so that a block's sums stay in registers while rows go by.

#include <cstdint>

#include "nn/kernels/batch_norm_kernels.h"
#include "nn/kernels/instruction_set.h"

namespace raven::nn::kernels {
namespace {

// The next loop's turns do not depend on each other, though the compiler cannot know it.
#ifdef __clang__
#define RAVEN_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define RAVEN_INDEPENDENT _Pragma("GCC ivdep")
#endif
#define RAVEN_INLINE static inline __attribute__((always_inline))
#define RAVEN_INLINE_MEMBER inline __attribute__((always_inline))

/// exp(x) to about 2 units in the last place for x in [-87, 88]: 2^n times a polynomial.
RAVEN_INLINE float exponential(float x) {
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it leaves the nearest integer below
  x = x < -87.0F ? -87.0F : (x > 88.0F ? 88.0F : x);
  const float shifted = x * 1.44269504F + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
  float p = 1.9875691500e-4F;
  p = p * r + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * r * r + r + 1.0F;
  std::uint32_t bits = 0;
  __builtin_memcpy(&bits, &shifted, 4);
  const std::uint32_t scale_bits = (bits - 0x4B400000U + 127U) << 23;  // n in the exponent
  float scale = 0;
  __builtin_memcpy(&scale, &scale_bits, 4);
  return p * scale;
}

RAVEN_INLINE float sigmoid(float x) { return 1.0F / (1.0F + exponential(-x)); }

/// Calls body.template run<kWidth>(channel, width) for blocks of channels.
template <class Body>
RAVEN_INLINE void for_channel_blocks(std::int64_t channels, const Body& body) {
  std::int64_t c = 0;
  for (; c + 64 <= channels; c += 64) body.template run<64>(c, 64);
  for (; c + 16 <= channels; c += 16) body.template run<16>(c, 16);
  if (c < channels) body.template run<0>(c, static_cast<int>(channels - c));
}

struct Moments {
  const float* x;
  std::int64_t first, last, channels;
  double *mean, *squares;

  template <int kWidth>
  RAVEN_INLINE_MEMBER void run(std::int64_t c, int given_width) const {
    const int width = kWidth > 0 ? kWidth : given_width;
    float sum[64] = {}, rest[64] = {}, square[64] = {}, middle[64];
    for (std::int64_t row = first; row < last; ++row) {
      const float* in = x + row * channels + c;
      for (int i = 0; i < width; ++i) sum[i] += in[i];
    }
    const float count = static_cast<float>(last - first);
    for (int i = 0; i < width; ++i) middle[i] = sum[i] / count;
    for (std::int64_t row = first; row < last; ++row) {
      const float* in = x + row * channels + c;
      for (int i = 0; i < width; ++i) {
        const float distance = in[i] - middle[i];
        rest[i] += distance;  // what rounding left out of the mean
        square[i] += distance * distance;
      }
    }
    for (int i = 0; i < width; ++i) {
      const double correction = static_cast<double>(rest[i]) / static_cast<double>(count);
      mean[c + i] = static_cast<double>(middle[i]) + correction;
      squares[c + i] = static_cast<double>(square[i]) - correction * static_cast<double>(rest[i]);
    }
  }
};

void moments(const float* x, std::int64_t first, std::int64_t last, std::int64_t channels,
             double* mean, double* squares) {
  for_channel_blocks(channels, Moments{x, first, last, channels, mean, squares});
}

template <bool kSilu, bool kResidual>
RAVEN_INLINE void apply_as(const float* x, const float* residual, const BatchNormChannels& norm,
                           std::int64_t first, std::int64_t last, std::int64_t channels, float* y) {
  for (std::int64_t row = first; row < last; ++row) {
    const float* in = x + row * channels;
    const float* shortcut = kResidual ? residual + row * channels : in;
    float* out = y + row * channels;
    const float *mean = norm.mean, *scale = norm.scale, *bias = norm.bias;
    RAVEN_INDEPENDENT
    for (std::int64_t c = 0; c < channels; ++c) {
      float z = (in[c] - mean[c]) * scale[c] + bias[c];
      if (kResidual) z += shortcut[c];
      out[c] = kSilu ? z * sigmoid(z) : z;
    }
  }
}

void apply(const float* x, const float* residual, const BatchNormChannels& norm, bool silu,
           std::int64_t first, std::int64_t last, std::int64_t channels, float* y) {
  if (silu && residual != nullptr) {
    apply_as<true, true>(x, residual, norm, first, last, channels, y);
  } else if (silu) {
    apply_as<true, false>(x, residual, norm, first, last, channels, y);
  } else if (residual != nullptr) {
    apply_as<false, true>(x, residual, norm, first, last, channels, y);
  } else {
    apply_as<false, false>(x, residual, norm, first, last, channels, y);
  }
}

template <bool kSilu, bool kResidual>
struct BackwardSums {
  const float *grad, *x, *residual;
  const BatchNormChannels& norm;
  std::int64_t first, last, channels;
  float* grad_sum;
  double *sum, *sum_times_x;

  template <int kWidth>
  RAVEN_INLINE_MEMBER void run(std::int64_t c, int given_width) const {
    constexpr int kPart = kWidth > 16 ? 16 : kWidth;  // more would not fit in the registers
    const int width = kPart > 0 ? kPart : given_width;
    for (int part = 0; part < (kWidth > 16 ? kWidth : 1); part += 16) {
      float total[16] = {}, times_x[16] = {}, mean[16], scale[16], bias[16];
      for (int i = 0; i < width; ++i) {
        mean[i] = norm.mean[c + part + i];
        scale[i] = norm.scale[c + part + i];
        bias[i] = norm.bias[c + part + i];
      }
      for (std::int64_t row = first; row < last; ++row) {
        const std::int64_t at = row * channels + c + part;
        RAVEN_INDEPENDENT
        for (int i = 0; i < width; ++i) {
          const float distance = x[at + i] - mean[i];
          float g = grad[at + i];
          if (kSilu) {
            float z = distance * scale[i] + bias[i];
            if (kResidual) z += residual[at + i];
            const float s = sigmoid(z);
            g *= s * (1.0F + z * (1.0F - s));
            grad_sum[at + i] = g;
          }
          total[i] += g;
          times_x[i] += g * distance;
        }
      }
      for (int i = 0; i < width; ++i) {
        sum[c + part + i] = static_cast<double>(total[i]);
        sum_times_x[c + part + i] = static_cast<double>(times_x[i]);
      }
    }
  }
};

void backward_sums(const float* grad, const float* x, const float* residual,
                   const BatchNormChannels& norm, bool silu, std::int64_t first, std::int64_t last,
                   std::int64_t channels, float* grad_sum, double* sum, double* sum_times_x) {
  if (silu && residual != nullptr) {
    for_channel_blocks(channels, BackwardSums<true, true>{grad, x, residual, norm, first, last,
                                                          channels, grad_sum, sum, sum_times_x});
  } else if (silu) {
    for_channel_blocks(channels, BackwardSums<true, false>{grad, x, residual, norm, first, last,
                                                           channels, grad_sum, sum, sum_times_x});
  } else {
    for_channel_blocks(channels, BackwardSums<false, false>{grad, x, residual, norm, first, last,
                                                            channels, grad_sum, sum, sum_times_x});
  }
}

void backward_apply(const float* grad_sum, const float* x, const BatchNormChannels& norm,
                    const float* mean_grad, const float* slope, std::int64_t first,
                    std::int64_t last, std::int64_t channels, float* grad_x) {
  const float *mean = norm.mean, *scale = norm.scale;
  for (std::int64_t row = first; row < last; ++row) {
    const float* in = x + row * channels;
    const float* g = grad_sum + row * channels;
    float* out = grad_x + row * channels;
    RAVEN_INDEPENDENT
    for (std::int64_t c = 0; c < channels; ++c) {
      out[c] = scale[c] * (g[c] - mean_grad[c] - (in[c] - mean[c]) * slope[c]);
    }
  }
}

RAVEN_INLINE void pool_pixel(const float* image, std::int64_t height, std::int64_t width,
                             std::int64_t channels, std::int64_t row, std::int64_t column,
                             float* pooled, std::uint8_t* winner) {
  bool first = true;
  for (std::int64_t tap = 0; tap < 9; ++tap) {
    const std::int64_t y = 2 * row - 1 + tap / 3, x = 2 * column - 1 + tap % 3;
    if (y < 0 || y >= height || x < 0 || x >= width) continue;
    const float* in = image + (y * width + x) * channels;
    const auto number = static_cast<std::uint8_t>(tap);
    if (first) {
      for (std::int64_t c = 0; c < channels; ++c) pooled[c] = in[c];
      if (winner != nullptr) {
        for (std::int64_t c = 0; c < channels; ++c) winner[c] = number;
      }
    } else if (winner != nullptr) {
      RAVEN_INDEPENDENT
      for (std::int64_t c = 0; c < channels; ++c) {
        const bool better = in[c] > pooled[c] || in[c] != in[c];  // NaN wins, as in the framework
        pooled[c] = better ? in[c] : pooled[c];
        winner[c] = better ? number : winner[c];
      }
    } else {
      RAVEN_INDEPENDENT
      for (std::int64_t c = 0; c < channels; ++c) {
        pooled[c] = in[c] > pooled[c] || in[c] != in[c] ? in[c] : pooled[c];
      }
    }
    first = false;
  }
}

void max_pool(const float* image, std::int64_t height, std::int64_t width, std::int64_t channels,
              float* pooled, std::uint8_t* winner) {
  const std::int64_t rows = (height - 1) / 2 + 1, columns = (width - 1) / 2 + 1;
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t column = 0; column < columns; ++column) {
      const std::int64_t at = (row * columns + column) * channels;
      pool_pixel(image, height, width, channels, row, column, pooled + at,
                 winner == nullptr ? nullptr : winner + at);
    }
  }
}

void max_pool_backward(const float* grad_pooled, const std::uint8_t* winner, std::int64_t height,
                       std::int64_t width, std::int64_t channels, float* grad_image) {
  const std::int64_t rows = (height - 1) / 2 + 1, columns = (width - 1) / 2 + 1;
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t column = 0; column < columns; ++column) {
      const float* grad = grad_pooled + (row * columns + column) * channels;
      const std::uint8_t* won = winner + (row * columns + column) * channels;
      for (std::int64_t tap = 0; tap < 9; ++tap) {
        const std::int64_t y = 2 * row - 1 + tap / 3, x = 2 * column - 1 + tap % 3;
        if (y < 0 || y >= height || x < 0 || x >= width) continue;
        float* out = grad_image + (y * width + x) * channels;
        const auto number = static_cast<std::uint8_t>(tap);
        RAVEN_INDEPENDENT
        for (std::int64_t c = 0; c < channels; ++c) out[c] += won[c] == number ? grad[c] : 0.0F;
      }
    }
  }
}

}  // namespace

const BatchNormLoops RAVEN_COPY_OF(kBatchNormLoops) = {moments,        apply,    backward_sums,
                                                       backward_apply, max_pool, max_pool_backward};

}  // namespace raven::nn::kernels
