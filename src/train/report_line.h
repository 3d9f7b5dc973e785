// The lines that a person reads while a run goes on.
#pragma once

#include <cstdint>
#include <string>

#include "raven/train/metrics.h"

namespace raven::train {

/// "step 120/4000  loss -1.93  v2a -0.61 (+0.12) ...": in brackets the gain over the mean
/// direction.
std::string report_line(std::int64_t step, std::int64_t steps, const Numbers& numbers);

/// The same for held-out numbers: "step 120  held out  loss ...".
std::string held_out_line(std::int64_t step, const Numbers& numbers);

}  // namespace raven::train
