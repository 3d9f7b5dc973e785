#include "raven/artifacts/flat_config_file.h"

#include <nlohmann/json.hpp>

#include "raven/config/json.h"
#include "raven/core/files.h"

namespace raven::artifacts {

std::string flat_config_json(const config::FlatConfig& config) {
  return nlohmann::json(config).dump(2) + "\n";
}

config::FlatConfig read_flat_config(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) return {};
  return config::flat_of_json(read_file(file));
}

}  // namespace raven::artifacts
