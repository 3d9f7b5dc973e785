// What a step is told, for tests that make one without an Updater.
#pragma once

#include "raven/train/step_inputs.h"

namespace raven::train {

inline StepInputs inputs_of(const Counts& counts) {
  return StepInputs(torch::kCPU, {.counts = {counts}});
}

}  // namespace raven::train
