// `raven doctor --ranks`: do the ranks of a run meet, are they alike, how fast are their links?
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "raven/config/run_config.h"
#include "raven/core/interrupt.h"

namespace raven::cli {

struct RanksAsked {
  config::Device device = config::Device::kAuto;
  std::int64_t threads = 0;  // of the configuration
  std::int64_t ranks = 0;    // to be started here; 0: those of the launcher, else 2
  std::int64_t wait_s = 60;  // until all have come
  bool json = false;
  std::vector<std::string> command = {};  // of this call, for ranks that it starts
};

/// Starts ranks of this machine, or is one that a launcher has started; rank 0 prints what all have
/// found, and all end with the same code. Throws ConfigError for a number of ranks that does not
/// fit the launcher.
ExitCode examine_ranks(const RanksAsked& asked);

}  // namespace raven::cli
