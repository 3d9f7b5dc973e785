#include "raven/core/processors.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <thread>

#include "raven/core/control_group.h"

namespace raven {

std::int64_t allowed_processors() {
  cpu_set_t mine;
  CPU_ZERO(&mine);
  const std::int64_t found = ::sched_getaffinity(0, sizeof(mine), &mine) == 0
                                 ? CPU_COUNT(&mine)
                                 : static_cast<std::int64_t>(std::thread::hardware_concurrency());
  return std::max<std::int64_t>(found, 1);
}

std::int64_t usable_processors(std::int64_t allowed, std::optional<double> quota) {
  if (!quota || !(*quota < static_cast<double>(allowed))) return allowed;
  return std::max<std::int64_t>(1, std::llround(*quota));
}

std::int64_t usable_processors() {
  return usable_processors(allowed_processors(), read_control_group().cpu_quota);
}

std::int64_t num_readers(std::optional<std::int64_t> given, std::int64_t most) {
  return given ? *given : std::min(most, usable_processors());
}

}  // namespace raven
