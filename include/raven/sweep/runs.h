// The runs of a sweep: their folders, commands and configurations, and which are done.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "raven/config/flat_config.h"
#include "raven/config/sweep_config.h"

namespace raven::sweep {

struct Run {
  std::string name;     // of its folder: "prob_0.1-seed_2"
  std::string variant;  // "prob_0.1"
  std::optional<std::int64_t> seed;
  std::filesystem::path folder;
  std::vector<std::string> arguments;  // after the program: "pretrain", "--config", ...
  config::FlatConfig config;           // resolved
};

/// `dir` of the sweep, below the home folder where it begins with ~.
std::filesystem::path folder_of(const config::SweepConfig& sweep);

/// Every variant with every seed, in the order of the file, seeds fastest. All configurations are
/// checked; throws ConfigError that names the run.
std::vector<Run> runs_of(const config::SweepConfig& sweep);

/// Throws ConfigError with one line for each run in the sweep's folder that was begun with another
/// configuration than it has now, or that the sweep no longer has. New runs are fine, and so are
/// other settings of machine, reports and checkpoints (artifacts::differences).
void check_begun_runs(const config::SweepConfig& sweep, const std::vector<Run>& runs);

/// The runs of a folder whose commands have ended with success, kept in `<dir>/finished.txt`. A run
/// whose folder is gone counts as new.
class FinishedRuns {
 public:
  explicit FinishedRuns(const std::filesystem::path& dir);

  [[nodiscard]] bool has(const Run& run) const;
  /// Throws SystemError when it cannot be written.
  void add(const Run& run);

 private:
  std::filesystem::path file_;
  std::set<std::string> names_;
};

}  // namespace raven::sweep
