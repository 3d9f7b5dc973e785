#include "nn/working_precision.h"

#include <ATen/autocast_mode.h>

namespace raven::nn {

torch::Tensor in_working_precision(const torch::Tensor& x) {
  if (!x.is_cuda() || !at::autocast::is_autocast_enabled(torch::kCUDA)) return x;
  return x.to(at::autocast::get_autocast_dtype(torch::kCUDA));
}

}  // namespace raven::nn
