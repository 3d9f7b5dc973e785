// Words for what the collapse measures say (docs/monitoring.md).
#pragma once

#include <string>
#include <vector>

#include "raven/train/metrics.h"

namespace raven::train {

struct CollapseWarning {
  std::string kind;  // the same for every report that shows it: "targets video"
  std::string message;
};

/// Warnings about the numbers of a report, compared with those of the run's first: targets whose
/// spread is below half of its start while predictions of them gain less than 0.02 over the
/// targets' mean direction; and, once `warmed_up`, predictions with such a gain that are nearly one
/// direction (spread below 0.1), whatever the targets do. Empty when all is well or the numbers are
/// absent.
std::vector<CollapseWarning> collapse_warnings(const Numbers& first, const Numbers& now,
                                               bool warmed_up);

}  // namespace raven::train
