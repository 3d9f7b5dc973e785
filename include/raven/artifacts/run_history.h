// Writes history.jsonl in a run's folder (report/run_history).
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "raven/report/run_history.h"

namespace raven::artifacts {

/// Of the run's owner. A line is added by one write, so that a process that ends at any moment
/// leaves whole lines and at most a part of one, which the next start removes.
class RunHistory {
 public:
  /// Reads what the folder has.
  explicit RunHistory(const std::filesystem::path& run);

  /// Of earlier starts.
  [[nodiscard]] const std::vector<report::RunPart>& earlier() const { return earlier_; }

  /// Training begins now; `start.time` is filled in. Throws SystemError.
  void start(report::RunStart start);
  /// What began has ended, for `reason`; nothing is written without a start. What cannot be written
  /// is warned of: it must not hide why the run ended.
  void stop(std::int64_t step, const std::string& reason);

  [[nodiscard]] bool is_running() const { return is_running_; }
  /// Seconds of this start and of earlier ones that told theirs.
  [[nodiscard]] double seconds() const;

 private:
  void append(const std::string& line) const;
  [[nodiscard]] double seconds_of_this() const;

  std::filesystem::path file_;
  std::vector<report::RunPart> earlier_;
  bool is_running_ = false;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

}  // namespace raven::artifacts
