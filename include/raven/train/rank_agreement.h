// Whether the ranks of a run were started alike.
#pragma once

#include <map>
#include <string>

#include "raven/config/flat_config.h"
#include "raven/distributed/communicator.h"

namespace raven::train {

/// Compares configurations, but for settings of the machine, this program's version and commit, and
/// its number of threads with those of rank 0. Throws ConfigError on all ranks, naming the first
/// rank that has others, and them.
void check_same_start(distributed::Communicator& ranks, const config::FlatConfig& config);

/// The same of what the data hold, by their hash (TrainState::data_hash) and name. Throws PeerError
/// with ExitCode::kTooManySkipped.
void check_same_data(distributed::Communicator& ranks, const std::string& data_hash,
                     const std::string& name);

}  // namespace raven::train
