// Products of linear layers. Which loop or operator computes them is decided here.
#pragma once

#include <torch/torch.h>

namespace raven::nn::backend {

/// Weights of a linear layer: (out, in), bias (out) or undefined.
struct LinearWeights {
  const torch::Tensor &weight, &bias;
  const torch::Tensor& packed;  // of `pack`, or undefined
};

/// x (..., in) -> x weight^T + bias, (..., out), with gradients when these are enabled.
torch::Tensor multiply(const torch::Tensor& x, const LinearWeights& weights);

/// Whether a product can use packed copies of this weight.
bool can_pack(const torch::Tensor& weight);

/// How many numbers the packed copy of a layer has, its bias included.
std::int64_t packed_numbers(const torch::Tensor& weight);

/// Fills `packed`, (packed_numbers) float32, with weight (out, in) and bias (out; or undefined).
void pack(const torch::Tensor& weight, const torch::Tensor& bias, torch::Tensor& packed);

}  // namespace raven::nn::backend
