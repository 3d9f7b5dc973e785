// Where raven's CUDA kernels take dropout's random numbers from.
#pragma once

#include <torch/torch.h>

namespace raven::nn {

/// Without one, each call of a kernel draws a seed of its own from LibTorch's CPU generator. While
/// one lives, on its thread, call k draws from (seed, k), and the seed is read when the kernel
/// runs: a step that was recorded once drops something else each time it is played with another
/// seed. Calls are counted from 0 anew with each of them. They do not nest.
class DropoutSeed {
 public:
  /// `seed`: () int64 on the GPU. Does nothing while enable_dropout_seeds() is off.
  explicit DropoutSeed(torch::Tensor seed);
  ~DropoutSeed();
  DropoutSeed(const DropoutSeed&) = delete;
  DropoutSeed& operator=(const DropoutSeed&) = delete;
};

/// Off at first: no GPU has run it yet (tests/bench/RESULTS.md).
void enable_dropout_seeds(bool on);

}  // namespace raven::nn
