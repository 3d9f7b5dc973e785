// Loops behind batch normalisation on a CPU, for float32 rows x channels in memory order (channels
// last). No Torch here: the same loops are compiled for several instruction sets
// (batch_norm_loops.cpp).
#pragma once

#include <cstdint>

namespace raven::nn::kernels {

/// One channel's normalisation: y = (x - mean) * scale + bias, then `+ residual`, then SiLU.
struct BatchNormChannels {
  const float* mean = nullptr;
  const float* scale = nullptr;  // weight / sqrt(variance + eps)
  const float* bias = nullptr;
};

struct BatchNormLoops {
  /// Per channel over rows [first, last): mean, and sum of squared distances from it.
  void (*moments)(const float* x, std::int64_t first, std::int64_t last, std::int64_t channels,
                  double* mean, double* squares);
  /// y may be x. residual: nullptr or as x.
  void (*apply)(const float* x, const float* residual, const BatchNormChannels& norm, bool silu,
                std::int64_t first, std::int64_t last, std::int64_t channels, float* y);
  /// grad_sum = gradient with respect to what SiLU sees (not written without `silu`), and per
  /// channel its sum and its sum times (x - mean).
  void (*backward_sums)(const float* grad, const float* x, const float* residual,
                        const BatchNormChannels& norm, bool silu, std::int64_t first,
                        std::int64_t last, std::int64_t channels, float* grad_sum, double* sum,
                        double* sum_times_x);
  /// grad_x = scale * (grad_sum - mean_grad - (x - mean) * slope); grad_x may be grad_sum.
  void (*backward_apply)(const float* grad_sum, const float* x, const BatchNormChannels& norm,
                         const float* mean_grad, const float* slope, std::int64_t first,
                         std::int64_t last, std::int64_t channels, float* grad_x);
  /// 3 x 3 maximum, stride 2, padding 1 of one image of `channels` channels; which of the nine won
  /// goes to `winner`, unless that is nullptr.
  void (*max_pool)(const float* image, std::int64_t height, std::int64_t width,
                   std::int64_t channels, float* pooled, std::uint8_t* winner);
  /// Adds each pooled gradient to its winner's place in `grad_image`, which starts as zeros.
  void (*max_pool_backward)(const float* grad_pooled, const std::uint8_t* winner,
                            std::int64_t height, std::int64_t width, std::int64_t channels,
                            float* grad_image);
};

/// For the best instruction set of this machine.
const BatchNormLoops& batch_norm_loops();

extern const BatchNormLoops kBatchNormLoopsGeneric;
extern const BatchNormLoops kBatchNormLoopsAvx2;
extern const BatchNormLoops kBatchNormLoopsAvx512;

}  // namespace raven::nn::kernels
