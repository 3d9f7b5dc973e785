#include "raven/nn/lengths.h"

namespace raven::nn {

torch::Tensor valid_frames(const torch::Tensor& lengths, std::int64_t num_frames) {
  return torch::arange(num_frames, lengths.options()).unsqueeze(0) < lengths.unsqueeze(1);
}

}  // namespace raven::nn
