// Batch normalisation with what surrounds it. Which loops, kernels or operators compute it is
// decided here. Shapes: R rows (positions of all utterances), N images, C channels.
#pragma once

#include <torch/torch.h>

#include <memory>

#include "raven/distributed/communicator.h"

namespace raven::nn::backend {

/// y = silu?((x - mean) / sqrt(variance + eps) * weight + bias + residual?).
struct Normalisation {
  static constexpr double kEpsilon = 1e-5;

  torch::Tensor x;                               // (R, C), contiguous, or (N, C, H, W)
  torch::Tensor weight, bias;                    // (C)
  torch::Tensor running_mean, running_variance;  // (C)
  torch::Tensor batches_tracked;                 // () int64
  torch::Tensor residual;                        // as x, or undefined
  bool of_batch = true;                          // the batch's own moments, else the running ones
  bool update_running = true;                    // with the batch's moments; only with of_batch
  double momentum = 0.1;                         // share of a batch in the running moments
  bool silu = false;
  bool may_overwrite = false;  // x, without gradients
  /// Moments are those of all ranks; nullptr: of this one. Only with of_batch.
  std::shared_ptr<distributed::Communicator> reducer;
};

/// y, as x; with gradients when these are enabled. Running moments are updated on the way.
torch::Tensor normalise(const Normalisation& input);

/// The 3 x 3 maximum of y, stride 2, padding 1: (N, C, H, W) -> (N, C, ceil(H / 2), ceil(W / 2)).
/// Always with SiLU and without a residual.
torch::Tensor normalise_and_pool(const Normalisation& input);

}  // namespace raven::nn::backend
