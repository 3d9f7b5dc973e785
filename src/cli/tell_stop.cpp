#include "cli/tell_stop.h"

#include "raven/core/log.h"

namespace raven::cli {

ExitCode tell_stop() {
  const auto number = received_signal();
  log::warn("stopped{}; the same command goes on from there",
            number == 0 ? "" : fmt::format(" by signal {}", number));
  return ExitCode::kStopped;
}

}  // namespace raven::cli
