// Words for what the collapse measures say (docs/monitoring.md).
#pragma once

#include <string>
#include <vector>

#include "raven/train/metrics.h"

namespace raven::train {

/// Warnings about the numbers of a report, compared with those of the run's first: targets whose
/// spread is below half of its start while predictions of them gain less than 0.02 over the
/// targets' mean direction. Empty when all is well or the numbers are absent.
std::vector<std::string> collapse_warnings(const Numbers& first, const Numbers& now);

}  // namespace raven::train
