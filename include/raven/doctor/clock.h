// The system's clock, against the program's own age and the clocks of file systems. All in UTC.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "raven/doctor/finding.h"
#include "raven/doctor/folder.h"

namespace raven::doctor {

struct Clock {
  std::int64_t now_s = 0;                      // since 1970
  std::optional<std::int64_t> program_s = {};  // last change of the program's file: its build
};

Clock read_clock(const std::filesystem::path& program);

/// clock.system.
Findings check_clock(const Clock& clock);

/// clock.file_system; nothing for a folder that was not tried.
Findings check_folder_clock(const Folder& folder);

}  // namespace raven::doctor
