// Limits of the shell, container or job: open files, file sizes, processes, locked and shared
// memory.
#pragma once

#include <cstdint>
#include <optional>

#include "raven/doctor/finding.h"

namespace raven::doctor {

/// Nothing: no limit.
struct Limit {
  std::optional<std::uint64_t> soft, hard;
};

struct Limits {
  Limit open_files, processes;
  Limit file_size, locked_memory;  // bytes
  std::optional<std::uint64_t> shared_total,
      shared_free;  // bytes of /dev/shm; nothing: there is none
  bool shared_writable = false;
};

Limits read_limits();

/// Who asks for more than a run on the CPU does.
struct Demand {
  bool gpu = false;        // shall be used
  bool processes = false;  // several work together
};

/// limits.open_files, limits.file_size, limits.processes, limits.locked_memory,
/// limits.shared_memory.
Findings check_limits(const Limits& limits, const Demand& demand);

}  // namespace raven::doctor
