// Training, validation and test lists against each other, and what a run tells of them.
#pragma once

#include <map>
#include <string>

#include "raven/config/run_config.h"
#include "raven/data/manifest.h"

namespace raven::train {

/// What the run's record and its models' files say of the lists (weights::kOrigin). Compares them
/// first, unless data.check_overlap is false: throws ConfigError with the first clips of
/// data.test_manifest that are in `training`; warns of its speakers there, of its clips in
/// `held_out`, and of clips of `held_out` in `training`.
std::map<std::string, std::string> check_lists(const config::DataConfig& config,
                                               const data::Manifest& training,
                                               const data::Manifest& held_out);

/// Throws ConfigError where clips of `training`, which `key` names, are in data.test_manifest,
/// unless data.check_overlap is false.
void refuse_test_clips(const config::DataConfig& config, const data::Manifest& training,
                       const std::string& key);

}  // namespace raven::train
