#include "weights/pickle_view.h"

#include "raven/core/error.h"

namespace raven::weights {

std::string view_problem(const PickleTensor& view, const PickleStorage& storage) {
  if (view.sizes.size() != view.strides.size()) {
    return fmt::format("a tensor of {} sizes and {} strides", view.sizes.size(),
                       view.strides.size());
  }
  if (view.offset < 0) return fmt::format("negative offset {}", view.offset);
  const auto shape = [&] {
    return fmt::format("sizes [{}], strides [{}], offset {}", fmt::join(view.sizes, ", "),
                       fmt::join(view.strides, ", "), view.offset);
  };
  std::int64_t count = 1, last = view.offset;
  bool empty = false, fits = true;
  for (std::size_t i = 0; i < view.sizes.size(); ++i) {
    const auto size = view.sizes[i], stride = view.strides[i];
    if (size < 0) return "negative size: " + shape();
    if (stride < 0) return "negative stride: " + shape();
    if (size == 0) {
      empty = true;
      continue;
    }
    std::int64_t reach = 0;
    fits = fits && !__builtin_mul_overflow(count, size, &count) &&
           !__builtin_mul_overflow(size - 1, stride, &reach) &&
           !__builtin_add_overflow(last, reach, &last);
  }
  const auto element = static_cast<std::int64_t>(c10::elementSize(view.type));
  const auto room = static_cast<std::int64_t>(storage.bytes) / element;
  std::int64_t bytes = 0;
  fits = fits && !__builtin_mul_overflow(count, element, &bytes);
  if (!fits) return "a tensor too large for any memory: " + shape();
  if (empty ? view.offset > room : last >= room) {
    return fmt::format("{} reach beyond the storage's {} elements", shape(), room);
  }
  return "";
}

}  // namespace raven::weights
