#include "nn/parallel.h"

#include <ATen/Parallel.h>
#include <ATen/TensorIterator.h>
#include <torch/torch.h>

namespace raven::nn {

void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& body) {
  if (count <= 1 || at::get_num_threads() == 1 || at::in_parallel_region()) {
    for (std::int64_t i = 0; i < count; ++i) body(i);
    return;
  }
  // at::parallel_for is a template that needs OpenMP where it is compiled, and a second OpenMP
  // library beside Torch's would fight it for the cores. An iterator over one byte per index runs
  // in Torch's.
  auto indices = torch::empty({count}, torch::kUInt8);
  const auto* base = static_cast<const char*>(indices.data_ptr());
  auto iterator = at::TensorIterator::nullary_op(indices);
  iterator.for_each(
      [&](char** data, const std::int64_t* strides, std::int64_t size) {
        for (std::int64_t i = 0; i < size; ++i) body(data[0] + i * strides[0] - base);
      },
      /*grain_size=*/1);
}

}  // namespace raven::nn
