// What autocast computes in.
#pragma once

#include <torch/torch.h>

#include <optional>

namespace raven::nn::backend {

/// Autocast's type on such a device; none where autocast is off.
std::optional<torch::ScalarType> autocast_type(torch::Device device);

/// x as the layers that read it would cast it on a GPU, cast once for all of them; x itself on a
/// CPU or without autocast.
torch::Tensor in_working_precision(const torch::Tensor& x);

}  // namespace raven::nn::backend
