// Runs of a sweep as processes of their own, several at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "raven/sweep/runs.h"

namespace raven::sweep {

enum class State {
  kNotBegun,
  kRunning,
  kDone,
  kStopped,  // asked to end; it goes on from its checkpoint
  kFailed,
};
/// "done", "failed", ...
std::string state_name(State state);

struct Outcome {
  State state = State::kNotBegun;
  std::string reason;  // of a failure: "exit code 2: <the last words of its output>"
};

struct RunnerOptions {
  std::filesystem::path program;
  std::filesystem::path logs;  // folder of the runs' outputs, <name>.txt
  std::int64_t jobs = 1;       // at a time
  std::stop_token stop;        // then no run is begun, and those that run are asked to end
  /// Called after a run was begun or has ended, and about every ten seconds between.
  std::function<void(const std::vector<Outcome>&)> tell = {};
  /// Called with the index of a run that has ended with success.
  std::function<void(std::size_t)> done = {};
};

/// Begins the runs that are `todo`, in their order, and waits for all of them; one that fails does
/// not keep the others. Outcomes are those of `runs`, kDone for what is not `todo`.
std::vector<Outcome> run_all(const std::vector<Run>& runs, const std::vector<bool>& todo,
                             const RunnerOptions& options);

}  // namespace raven::sweep
