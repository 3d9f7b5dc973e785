// Memory that a piece of work takes at its peak, and processor time.
#pragma once

#include <time.h>

#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <string>

namespace raven {

/// A line of /proc/self/status, in bytes: "VmRSS", "VmHWM".
inline std::int64_t memory_status(const std::string& name) {
  std::ifstream in("/proc/self/status");
  std::string word;
  while (in >> word) {
    std::int64_t kilobytes = 0;
    if (word == name + ":" && in >> kilobytes) return kilobytes * 1024;
  }
  throw std::runtime_error("/proc/self/status has no " + name);
}

/// Time that this thread has run: on a busy machine, work takes longer by the clock.
inline double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Growth of the resident memory above what it was, at its peak, while this object lives.
class ResidentPeak {
 public:
  ResidentPeak() {
    std::ofstream("/proc/self/clear_refs") << "5";  // forgets the peak so far
    before_ = memory_status("VmRSS");
  }
  [[nodiscard]] std::int64_t growth() const { return memory_status("VmHWM") - before_; }

 private:
  std::int64_t before_ = 0;
};

}  // namespace raven
