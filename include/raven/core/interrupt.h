// Safe ends: SIGINT, SIGTERM, SIGHUP and SIGUSR1 ask for a stop, work stops at its next safe point.
#pragma once

#include <stop_token>

namespace raven {

/// Process exit codes that scripts may rely on.
enum class ExitCode : int {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,
  kTooManySkipped = 3,
  kStopped = 75,  // by a signal, after saving, or a rank was lost: run it again to go on
};

/// Starts to watch SIGINT, SIGTERM, SIGUSR1 and, unless it was ignored from the start (nohup),
/// SIGHUP; the token is asked to stop at the first of them, which says so. A second SIGTERM, and a
/// SIGINT after any of them, end the process at once, but for WholeWork; the same signal within a
/// second is one. Call once, before other threads start.
std::stop_token watch_signals();

/// The signal that asked for the stop, or 0.
int received_signal() noexcept;

/// First of all in main: standard streams that are closed are opened on /dev/null, so that no file
/// takes their place; a closed pipe (SIGPIPE) and a file that grows too large (SIGXFSZ) become
/// failed writes, which say what happened.
void prepare_process();

/// Before exec: an ignored signal would stay ignored in the new program.
void restore_signals();

}  // namespace raven
