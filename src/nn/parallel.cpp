#include "nn/parallel.h"

#include <ATen/Parallel.h>
#include <ATen/TensorIterator.h>
#include <torch/torch.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RAVEN_THREAD_SANITIZER
#endif
#elif defined(__SANITIZE_THREAD__)
#define RAVEN_THREAD_SANITIZER
#endif
#ifdef RAVEN_THREAD_SANITIZER
#include <sanitizer/tsan_interface.h>
#define RAVEN_TELL(event) event
#else
#define RAVEN_TELL(event)
#endif

namespace raven::nn {
namespace {

// How a loop's caller and its bodies wait for each other is invisible to ThreadSanitizer, since
// Torch's threads are not compiled with it. It is told here, of all loops alike: a body that looked
// for a pair of its own would read its caller's memory first. Races between bodies are still found.
[[maybe_unused]] char loops_begin, loops_end;

}  // namespace

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
  RAVEN_TELL(__tsan_release(&loops_begin));
  iterator.for_each(
      [&](char** data, const std::int64_t* strides, std::int64_t columns, std::int64_t rows) {
        RAVEN_TELL(__tsan_acquire(&loops_begin));
        for (std::int64_t row = 0; row < rows; ++row) {
          for (std::int64_t i = 0; i < columns; ++i)
            body(data[0] + row * strides[1] + i * strides[0] - base);
        }
        RAVEN_TELL(__tsan_release(&loops_end));
      },
      /*grain_size=*/1);
  RAVEN_TELL(__tsan_acquire(&loops_end));
}

}  // namespace raven::nn
