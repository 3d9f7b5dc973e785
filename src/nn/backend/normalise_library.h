// Batch normalisation with LibTorch's operators: for every device and type.
#pragma once

#include "nn/backend/normalise.h"

namespace raven::nn::backend {

/// Without SiLU and residual. x as in Normalisation.
torch::Tensor normalise_with_library(const Normalisation& input);

}  // namespace raven::nn::backend
