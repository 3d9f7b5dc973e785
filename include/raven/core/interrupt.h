// Safe ends: SIGINT, SIGTERM and SIGUSR1 ask for a stop, work stops at its next safe point.
#pragma once

#include <stop_token>

namespace raven {

/// Process exit codes that scripts may rely on.
enum class ExitCode : int {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,
  kTooManySkipped = 3,
  kStopped = 75,  // by a signal, after saving: run the command again to go on
};

/// Starts to watch SIGINT, SIGTERM and SIGUSR1; the token is asked to stop at the first of them. A
/// second SIGINT ends the process at once. Call once, before other threads start.
std::stop_token watch_signals();

/// The signal that asked for the stop, or 0.
int received_signal() noexcept;

}  // namespace raven
