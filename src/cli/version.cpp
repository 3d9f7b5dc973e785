#include <spdlog/fmt/fmt.h>
#include <spdlog/version.h>
#include <torch/version.h>

#include <CLI/Version.hpp>

#include "cli/program.h"

namespace raven::cli {

std::string version_text() {
  return fmt::format(
      "raven {}\n"
      "build: {}, {}\n"
      "LibTorch {}\n"
      "spdlog {}.{}.{}, fmt {}.{}.{}, CLI11 {}\n",
      RAVEN_VERSION, RAVEN_BUILD_TYPE, RAVEN_COMPILER, TORCH_VERSION, SPDLOG_VER_MAJOR,
      SPDLOG_VER_MINOR, SPDLOG_VER_PATCH, FMT_VERSION / 10000, FMT_VERSION / 100 % 100,
      FMT_VERSION % 100, CLI11_VERSION);
}

}  // namespace raven::cli
