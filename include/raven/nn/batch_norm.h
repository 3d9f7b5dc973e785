// Batch normalisation. Its statistics are taken in src/nn/backend, over one rank or over all.
// Shapes: C channels; "rows" are all positions of all utterances that a channel is averaged over.
#pragma once

#include <torch/torch.h>

#include <memory>

#include "raven/distributed/communicator.h"

namespace raven::nn {

namespace backend {
struct Normalisation;
}

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
  /// In train mode the batch is what all ranks have of it; nullptr: what this one has. Gradients of
  /// weight and bias remain this rank's.
  std::shared_ptr<distributed::Communicator> reducer;

 private:
  [[nodiscard]] backend::Normalisation normalisation_of(const torch::Tensor& x) const;
};
TORCH_MODULE(BatchNorm);

/// Gives `reducer` to every batch norm of a network; nullptr: each rank by itself again.
void share_statistics(const torch::nn::Module& network,
                      const std::shared_ptr<distributed::Communicator>& reducer);

}  // namespace raven::nn
