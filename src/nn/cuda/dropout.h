// Draws of dropout for raven's CUDA kernels, and how autograd keeps them for the way back.
#pragma once

#include <torch/torch.h>

#include "nn/cuda/cuda_kernels.h"

namespace raven::nn::cuda {

/// One call's random numbers.
struct DropoutDraw {
  double rate = 0;         // 0: nothing is dropped
  std::uint64_t seed = 0;  // where seed_of_step is undefined
  torch::Tensor seed_of_step;
  std::int64_t call = 0;  // number of this call among those with seed_of_step

  [[nodiscard]] DropoutOptions options() const;

  void save(torch::autograd::AutogradContext& context) const;
  static DropoutDraw saved(torch::autograd::AutogradContext& context);
};

/// From nn::DropoutSeed where there is one, else from LibTorch's CPU generator.
DropoutDraw draw_dropout(double rate);

}  // namespace raven::nn::cuda
