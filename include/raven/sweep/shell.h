// Commands of runs as text that a person or a scheduler gives to a shell. raven itself starts
// programs without one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "raven/sweep/runs.h"

namespace raven::sweep {

/// A word that a POSIX shell reads back byte by byte: as it is where that will do, else in single
/// quotes.
std::string quoted(const std::string& word);

/// Program and arguments of a run, quoted.
std::string command_line(const std::filesystem::path& program, const Run& run);

struct SlurmOptions {
  std::string job_name;
  std::filesystem::path program;
  std::filesystem::path working_folder;
  std::optional<std::int64_t> at_once;  // tasks that run at a time; empty: as many as fit
};

/// A script for sbatch: an array with a task for each run, which gets SIGTERM two minutes before
/// its time is up.
std::string slurm_script(std::span<const Run> runs, const SlurmOptions& options);

}  // namespace raven::sweep
