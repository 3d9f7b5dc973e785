// A landmark model of any bytes is refused, or every point that it gives is a number.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "faces/shape_trees.h"
#include "raven/core/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto model = raven::faces::read_shape_trees({reinterpret_cast<const char*>(data), size});
    for (const auto& level : model.levels) {
      if (level.leaves.size() > size) __builtin_trap();
      for (const auto& split : level.splits) {
        if (split.first >= level.places.size() || split.second >= level.places.size())
          __builtin_trap();
      }
      for (const auto& place : level.places) {
        if (place.anchor >= raven::corpus::kNumFacePoints || !std::isfinite(place.x))
          __builtin_trap();
      }
    }
  } catch (const raven::DataError&) {
  }
  return 0;
}
