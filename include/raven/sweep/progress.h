// How far all runs of a sweep are together.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "raven/sweep/runner.h"
#include "raven/sweep/runs.h"

namespace raven::sweep {

/// Share of its steps that a run has reported, 0 to 1; 0 where that is not known yet.
double share_done(const Run& run);

/// "2 of 6 runs done, 1 running (prob_0.1-seed_2 47 %), 41 % of all, left 3 min 20 s". `share` is
/// of all runs, `at_start` what was done before `seconds` ago; time left is told once there is
/// progress to judge by.
std::string progress_line(const std::vector<Run>& runs, const std::vector<Outcome>& outcomes,
                          const std::vector<double>& shares, double at_start, double seconds);

class SweepProgress {
 public:
  SweepProgress(const std::vector<Run>& runs, const std::vector<bool>& todo);

  /// The line for these outcomes, now.
  [[nodiscard]] std::string line(const std::vector<Outcome>& outcomes) const;

 private:
  const std::vector<Run>& runs_;
  double at_start_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace raven::sweep
