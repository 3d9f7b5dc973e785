// What the control groups (cgroups) of a container or job allow this process.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace raven {

struct ControlGroup {
  std::optional<std::uint64_t> memory_limit = {}, memory_used = {};  // bytes
  std::optional<double> cpu_quota = {};                              // cores
};

/// Content of a file; nothing when it cannot be read.
using ReadText = std::function<std::optional<std::string>(const std::string& file)>;

/// Reads both versions of control groups; the smallest limit between the process's group and the
/// root holds. `process_groups` is /proc/self/cgroup, `mounts` is /proc/self/mountinfo.
ControlGroup parse_control_group(std::string_view process_groups, std::string_view mounts,
                                 const ReadText& read);

ControlGroup read_control_group();

}  // namespace raven
