// The end of a residual branch. Which kernels or operators compute it is decided here.
// Shapes: B utterances, T frames, D width.
#pragma once

#include <torch/torch.h>

namespace raven::nn::backend {

/// x + drop_path(dropout(gamma * output)).
struct Branch {
  torch::Tensor x, output;  // (B, T, D)
  torch::Tensor gamma;      // (D), or undefined: no layer scale
  double dropout = 0;
  double drop_path = 0;  // chance that an utterance's branch is left out
};

/// (B, T, D), with gradients when these are enabled.
torch::Tensor add_branch(const Branch& branch);

/// Factors 0 or 1 / (1 - rate) of (utterances) branches; undefined where all stay.
torch::Tensor drop_path_factors(double rate, std::int64_t utterances,
                                const torch::TensorOptions& options);

/// branch (B, T, D) times the factors of its utterances.
torch::Tensor drop_path(const torch::Tensor& branch, double rate);

}  // namespace raven::nn::backend
