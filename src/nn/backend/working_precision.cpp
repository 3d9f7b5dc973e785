#include "nn/backend/working_precision.h"

#include <ATen/autocast_mode.h>

namespace raven::nn::backend {

std::optional<torch::ScalarType> autocast_type(torch::Device device) {
  if (!at::autocast::is_autocast_enabled(device.type())) return std::nullopt;
  return at::autocast::get_autocast_dtype(device.type());
}

torch::Tensor in_working_precision(const torch::Tensor& x) {
  const auto type = x.is_cuda() ? autocast_type(x.device()) : std::nullopt;
  return type ? x.to(*type) : x;
}

}  // namespace raven::nn::backend
