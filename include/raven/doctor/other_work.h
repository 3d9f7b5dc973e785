// How much of this process's cores other programs take.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "raven/doctor/finding.h"

namespace raven::doctor {

/// Seconds that cores were busy since the machine started, with whatever: summed over the given
/// cores of /proc/stat. Time that a host takes from a virtual machine (steal) counts as busy.
/// `ticks_per_s` is the unit of /proc/stat.
double parse_busy_seconds(std::string_view stat, const std::set<std::int64_t>& cores,
                          double ticks_per_s);

/// Measures from its construction on.
class OtherWork {
 public:
  OtherWork();

  /// Cores' worth of time that others took of those this process may use, since construction;
  /// nothing when the system does not tell or less than 0.2 s have passed.
  [[nodiscard]] std::optional<double> cores_taken() const;

  /// How many cores this process may use (affinity).
  [[nodiscard]] std::int64_t cores() const { return static_cast<std::int64_t>(cores_.size()); }

 private:
  struct Sample {
    double wall_s = 0, busy_s = 0, own_s = 0;
  };
  [[nodiscard]] std::optional<Sample> take() const;

  std::set<std::int64_t> cores_;
  std::optional<Sample> begin_;
};

/// "other programs keep 1.0 of 2 cores busy" when they leave less than `threads` of `cores`, with a
/// quarter of a core to spare; else empty.
std::string other_work_text(double taken, std::int64_t cores, std::int64_t threads);

/// cpu.other_work. `threads`: of the networks.
Findings check_other_work(std::optional<double> taken, std::int64_t cores, std::int64_t threads);

}  // namespace raven::doctor
