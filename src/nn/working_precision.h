// What autocast will compute in on a GPU: cast once what several layers read.
#pragma once

#include <torch/torch.h>

namespace raven::nn {

/// x as the layers that read it would cast it; x itself on a CPU or without autocast.
torch::Tensor in_working_precision(const torch::Tensor& x);

}  // namespace raven::nn
