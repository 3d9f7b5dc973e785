// Numbers that a run of one process does not write.
#pragma once

#include <string_view>

namespace raven {

inline bool is_of_ranks(std::string_view metric) {
  return metric == "ranks" || metric.starts_with("ranks_") || metric.starts_with("slowest_rank");
}

}  // namespace raven
