// Between the sums of a normalisation and what follows from them: here ranks add theirs up, on all
// hardware alike. Shapes: C channels.
#pragma once

#include <torch/torch.h>

#include <memory>

#include "nn/backend/normalise.h"

namespace raven::nn::backend {

/// Height and width of images whose positions are rows.
struct ImageSize {
  std::int64_t height = 0, width = 0;
  [[nodiscard]] std::int64_t pixels() const { return height * width; }
  [[nodiscard]] std::int64_t pooled_height() const { return (height + 1) / 2; }
  [[nodiscard]] std::int64_t pooled_width() const { return (width + 1) / 2; }
  [[nodiscard]] std::int64_t pooled() const { return pooled_height() * pooled_width(); }
};

/// Of the rows of one rank or of all, float64.
struct Moments {
  torch::Tensor mean, squares;  // (C); squares: distances from the mean, squared and summed
  torch::Tensor count;          // () of rows

  [[nodiscard]] torch::Tensor variance() const { return squares / count; }
  [[nodiscard]] torch::Tensor unbiased_variance() const {
    return squares / (count - 1).clamp_min(1);
  }
};

/// `count` rows as a tensor on the device of `like`.
torch::Tensor row_count(std::int64_t rows, const torch::Tensor& like);

/// Moments of all ranks' rows from those of this one; the same without a reducer. Means are
/// combined first and squares about their mean then (Chan, Golub and LeVeque), so that nothing
/// cancels where a mean is much larger than the spread.
Moments over_ranks(const Moments& of_rank, distributed::Communicator* reducer);

/// running += momentum * (batch's - running), and one more batch is counted.
void update_running(const Normalisation& input, const torch::Tensor& mean,
                    const torch::Tensor& unbiased_variance);

/// Over the rows of one rank, per channel, (C) float64: the gradient with respect to what SiLU
/// sees, and this times x - mean.
struct BackwardSums {
  torch::Tensor grad, grad_times_x;
};

/// Of all ranks' rows; the same without a reducer.
BackwardSums over_ranks(const BackwardSums& of_rank, distributed::Communicator* reducer);

/// (C) float64.
struct BackwardChannels {
  torch::Tensor weight_grad, bias_grad;  // of this rank's rows alone
  /// grad_x = scale * (grad - mean_grad - (x - mean) * slope), of all ranks' rows.
  torch::Tensor mean_grad, slope;
};
BackwardChannels finish_backward(const BackwardSums& of_rank, const torch::Tensor& variance,
                                 const torch::Tensor& count, distributed::Communicator* reducer);

/// A reducer for an autograd function's saved_data, and back.
c10::IValue to_saved(const std::shared_ptr<distributed::Communicator>& reducer);
std::shared_ptr<distributed::Communicator> reducer_of(const c10::IValue& saved);

}  // namespace raven::nn::backend
