#include <spdlog/fmt/fmt.h>
#include <spdlog/version.h>
#include <torch/version.h>

#include <CLI/Version.hpp>

#include "cli/program.h"
#include "raven/core/build_commit.h"

namespace raven::cli {

std::string version_text() {
  const auto commit = build_commit().empty() ? "" : fmt::format(" ({})", build_commit());
  return fmt::format(
      "raven {}{}\n"
      "build: {}, {}\n"
      "LibTorch {}\n"
      "spdlog {}.{}.{}, fmt {}.{}.{}, CLI11 {}\n",
      RAVEN_VERSION, commit, RAVEN_BUILD_TYPE, RAVEN_COMPILER, TORCH_VERSION, SPDLOG_VER_MAJOR,
      SPDLOG_VER_MINOR, SPDLOG_VER_PATCH, FMT_VERSION / 10000, FMT_VERSION / 100 % 100,
      FMT_VERSION % 100, CLI11_VERSION);
}

}  // namespace raven::cli
