// Main memory: what the machine has, what a container or job leaves of it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "raven/core/control_group.h"
#include "raven/doctor/finding.h"

namespace raven::doctor {

struct Memory {
  std::uint64_t total = 0, available = 0;      // bytes, of the machine
  std::optional<std::uint64_t> limit, used;    // of the control group
  std::optional<std::uint64_t> address_space;  // RLIMIT_AS or RLIMIT_DATA, the smaller one
};

/// MemTotal and MemAvailable of /proc/meminfo.
Memory parse_meminfo(std::string_view text);

Memory read_memory(const ControlGroup& group);

/// Bytes that this process could ever have: what the machine has or its control group allows.
std::uint64_t usable_memory();

/// memory.total, memory.available, memory.address_space. `gpu`: a GPU shall be used.
Findings check_memory(const Memory& memory, bool gpu);

}  // namespace raven::doctor
