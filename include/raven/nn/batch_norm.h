// Batch normalisation, the only place where statistics of a batch are taken.
// Shapes: C channels; "rows" are all positions of all utterances that a channel is averaged over.
#pragma once

#include <torch/torch.h>

namespace raven::nn {

struct CudaNormalisation;

/// eps 1e-5, affine, running statistics. Keys: weight, bias, running_mean,
/// running_var, num_batches_tracked. In train mode the batch's own statistics are used, padded
/// frames included. The running variance is the unbiased one, n / max(1, n - 1) times the batch's.
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
  /// The stem's: SiLU and then the maximum over 3 x 3 positions with stride 2 and padding 1.
  torch::Tensor after_stem(const torch::Tensor& x);
  /// x (B, T, C), normalised over B and T.
  torch::Tensor forward(const torch::Tensor& x);

  torch::Tensor weight, bias;               // (C)
  torch::Tensor running_mean, running_var;  // (C)
  torch::Tensor num_batches_tracked;        // () int64
  double momentum = 0.1;                    // share of a batch in the running statistics
  bool statistics_fixed = false;            // train mode then leaves running statistics as they are

 private:
  torch::Tensor library_norm(const torch::Tensor& x);
  [[nodiscard]] bool own_loops_take(const torch::Tensor& x) const;
  [[nodiscard]] bool cuda_kernels_take(const torch::Tensor& x, std::int64_t channels) const;
  CudaNormalisation on_cuda(const torch::Tensor& rows, bool silu);
};
TORCH_MODULE(BatchNorm);

}  // namespace raven::nn
