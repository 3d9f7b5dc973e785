// Commands that work as several processes on one machine.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "cli/command.h"
#include "raven/config/run_config.h"
#include "raven/core/error.h"

namespace raven::cli {

/// Starts `command` with the same arguments as `ranks` processes (0: one for each GPU that may be
/// used), waits for them and returns what they end with. Empty: this process does the work, alone
/// or as one of the ranks that somebody has started. Throws ConfigError where a launcher has
/// started another number of them.
std::optional<ExitCode> start_ranks(const std::string& command, const Arguments& arguments,
                                    std::int64_t ranks, config::Device device,
                                    const std::stop_token& stop);

}  // namespace raven::cli
