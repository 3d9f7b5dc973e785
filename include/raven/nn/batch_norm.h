// Batch normalisation, the only place where statistics of a batch are taken.
// Shapes: C channels; "rows" are all positions of all utterances that a channel is averaged over.
#pragma once

#include <torch/torch.h>

namespace raven::nn {

/// eps 1e-5, momentum 0.1, affine, running statistics. Keys: weight, bias, running_mean,
/// running_var, num_batches_tracked. In train mode the batch's own statistics are used, padded
/// frames included.
class BatchNormImpl : public torch::nn::Module {
 public:
  explicit BatchNormImpl(std::int64_t num_channels);

  /// What follows the normalisation of a convolution's output.
  struct After {
    bool silu = false;
    torch::Tensor residual;  // added before SiLU; undefined: nothing
  };
  /// x (B, C, ...) from a convolution, which nobody else reads: without gradients it may be
  /// overwritten.
  torch::Tensor after_convolution(const torch::Tensor& x, const After& after);
  /// x (B, T, C), normalised over B and T.
  torch::Tensor forward(const torch::Tensor& x);

  torch::Tensor weight, bias;               // (C)
  torch::Tensor running_mean, running_var;  // (C)
  torch::Tensor num_batches_tracked;        // () int64

 private:
  torch::Tensor normalise(const torch::Tensor& x);
};
TORCH_MODULE(BatchNorm);

}  // namespace raven::nn
