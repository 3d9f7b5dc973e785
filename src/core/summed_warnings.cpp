#include "raven/core/summed_warnings.h"

#include "raven/core/log.h"

namespace raven {

void SummedWarnings::warn(const std::string& kind, const std::string& message) {
  if (++times_[kind] <= kShown) {
    log::warn("{}", message);
  } else {
    ++untold_[kind];
  }
}

void SummedWarnings::finish() {
  for (const auto& [kind, count] : untold_)
    log::warn("{} more of this kind ({}){}", count, kind, where_all_);
  untold_.clear();
}

}  // namespace raven
