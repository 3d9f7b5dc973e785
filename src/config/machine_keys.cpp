#include "raven/config/machine_keys.h"

#include <algorithm>
#include <array>

namespace raven::config {

bool is_of_the_machine(std::string_view key) {
  // "x." stands for all keys below x.
  constexpr std::array<std::string_view, 9> kKeys = {
      "run.dir",      "device",        "threads", "ranks",      "distributed.",
      "data.workers", "data.prefetch", "log.",    "checkpoint."};
  return std::ranges::any_of(kKeys, [&](std::string_view free) {
    return free.back() == '.' ? key.starts_with(free) : key == free;
  });
}

}  // namespace raven::config
