// history.jsonl in a run's folder: each start of the run and how that ended, a line each.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace raven::report {

inline constexpr const char* kHistoryFile = "history.jsonl";

/// Training began, from a checkpoint or from nothing.
struct RunStart {
  std::string time;                               // "2026-01-31T12:00:00Z"
  std::int64_t from_step = 0;                     // optimiser steps that were done before
  std::int64_t steps = 0;                         // that the run was to have
  std::vector<std::string> arguments = {};        // of the command
  std::map<std::string, std::string> facts = {};  // commit, host, device, ...
};

struct RunStop {
  std::string time;
  std::int64_t step = 0;
  std::string reason;  // "done", "signal 15", "error: ..."
  double seconds = 0;  // since the start
};

struct RunPart {
  RunStart start;
  std::optional<RunStop> stop;  // none: it goes on, or was killed
};

/// One line each, with its end.
std::string line_of(const RunStart& start);
std::string line_of(const RunStop& stop);

/// The parts of a run in their order. Lines that are no whole objects of either kind are left out:
/// a process may end within one.
std::vector<RunPart> parse_history(std::string_view text);

/// Seconds of all parts that tell theirs.
double seconds_of(const std::vector<RunPart>& parts);

}  // namespace raven::report
