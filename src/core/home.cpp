#include "raven/core/home.h"

#include <cstdlib>

#include "raven/core/error.h"

namespace raven {

std::string expand_home(std::string_view path) {
  if (!path.starts_with("~/")) return std::string(path);
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home != '/') {
    throw ConfigError(
        fmt::format("{}: HOME does not name a folder, so nobody knows what ~ is; write the path "
                    "out, or ./~/... for a folder that is called so",
                    path));
  }
  return std::string(home) + std::string(path.substr(1));
}

}  // namespace raven
