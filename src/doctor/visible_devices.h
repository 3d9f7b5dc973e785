// CUDA_VISIBLE_DEVICES as CUDA reads it: indices, or beginnings of UUIDs, up to the first that is
// no GPU.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "raven/doctor/gpu.h"

namespace raven::doctor {

struct VisibleDevices {
  std::int64_t count = 0;  // of the GPUs that remain
  std::string problem;     // why some that are named do not; empty: all do
};

VisibleDevices parse_visible_devices(const GpuDriver& driver,
                                     const std::optional<std::string>& text);

}  // namespace raven::doctor
