// A configuration as it is kept beside what was made with it, for the next comparison.
#pragma once

#include <filesystem>
#include <string>

#include "raven/config/flat_config.h"

namespace raven::artifacts {

/// In the folder of a run.
inline constexpr const char* kConfigFile = "config.json";

/// A JSON object of texts, one a line.
std::string flat_config_json(const config::FlatConfig& config);

/// What a file has, also where it is config::to_json(): empty when there is no file, or it is no
/// such object.
config::FlatConfig read_flat_config(const std::filesystem::path& file);

}  // namespace raven::artifacts
