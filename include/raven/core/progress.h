// Progress of long work: a line that rewrites itself on a terminal, plain lines elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace raven {

/// Written to stderr: "prepare  1200/4000  30 %  212/s  left 13 s". Thread-compatible: one thread
/// reports.
class Progress {
 public:
  Progress(std::string title, std::int64_t total, std::string unit = "");
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` items of `total`; `note` is appended. Cheap: prints at most ten times a second on a
  /// terminal, every ten seconds elsewhere.
  void update(std::int64_t done, const std::string& note = "");

 private:
  void print(const std::string& note);

  std::string title_, unit_;
  std::int64_t total_, done_ = 0;
  bool terminal_, open_line_ = false;
  std::chrono::steady_clock::time_point start_, last_;
};

/// "2 h 05 min", "3 min 20 s", "12 s".
std::string duration_text(double seconds);

}  // namespace raven
