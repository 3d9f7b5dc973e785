// Batch normalisation with what surrounds it, as one differentiable step on a CPU. Fused, an
// activation is kept once (the convolution's output) instead of three times, and passes through
// memory less often. Shapes: R rows (positions of all utterances), C channels; all float32 and
// contiguous.
#pragma once

#include <torch/torch.h>

namespace raven::nn {

struct BatchMoments {
  torch::Tensor mean, variance;  // (C) float32; variance with 1 / R
};

BatchMoments batch_moments(const torch::Tensor& rows);

/// What one normalisation takes; moments are the batch's or the running ones.
struct NormaliseInput {
  torch::Tensor rows;          // (R, C)
  torch::Tensor weight, bias;  // (C)
  torch::Tensor residual;      // (R, C) or undefined
  BatchMoments moments;
  double eps = 1e-5;
  bool silu = false;
};

/// Gradients flow as in train mode, through the moments of `rows`.
torch::Tensor normalise(const NormaliseInput& input);

/// Without gradients. `rows` is overwritten and returned when `in_place`.
torch::Tensor normalise_without_gradient(const NormaliseInput& input, bool in_place);

/// SiLU(norm(rows)) and then the 3 x 3 maximum, stride 2, padding 1: rows of (N, height, width)
/// images -> rows of (N, ceil(height / 2), ceil(width / 2)). With gradients when these are enabled.
torch::Tensor normalise_and_pool(const NormaliseInput& input, std::int64_t height,
                                 std::int64_t width);

}  // namespace raven::nn
