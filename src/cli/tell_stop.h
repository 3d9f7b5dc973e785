// How commands end that were asked to stop.
#pragma once

#include "raven/core/interrupt.h"

namespace raven::cli {

/// Says that the same command goes on from there; of several ranks another one may have been asked.
ExitCode tell_stop();

}  // namespace raven::cli
