#include "cli/one_process.h"

#include <spdlog/fmt/fmt.h>

#include "raven/core/error.h"
#include "raven/core/variables.h"
#include "raven/distributed/launch.h"

namespace raven::cli {

void require_one_process(const std::string& command) {
  const auto launch = distributed::read_launch(read_variables());
  if (launch.size == 1) return;
  throw ConfigError(
      fmt::format("raven {} is one process, but {} started {}: start one, without torchrun and "
                  "with --ntasks=1; pretrain, finetune, lm, selftrain, evaluate, features and "
                  "doctor --ranks work as several",
                  command, launch.by, launch.size));
}

}  // namespace raven::cli
