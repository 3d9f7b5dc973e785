#include "raven/core/tried_path.h"

#include <spdlog/fmt/fmt.h>

#include <system_error>

namespace raven {

std::string tried_path(const std::filesystem::path& path) {
  std::error_code error;  // the working folder is gone
  const auto whole = std::filesystem::absolute(path, error).lexically_normal();
  if (path.empty() || path.is_absolute() || error) return path.string();
  return fmt::format("{} (looked for {}: such paths follow the working folder)", path.string(),
                     whole.string());
}

}  // namespace raven
