#include "raven/artifacts/flat_config_file.h"

#include <nlohmann/json.hpp>

#include "core/parse_json.h"
#include "raven/core/files.h"

namespace raven::artifacts {

std::string flat_config_json(const config::FlatConfig& config) {
  return nlohmann::json(config).dump(2) + "\n";
}

config::FlatConfig read_flat_config(const std::filesystem::path& file) {
  config::FlatConfig flat;
  if (!std::filesystem::exists(file)) return flat;
  const auto json = parse_json(read_file(file));
  if (!json.is_object()) return flat;
  for (const auto& [key, value] : json.items()) {
    if (value.is_string()) flat[key] = value.get<std::string>();
  }
  return flat;
}

}  // namespace raven::artifacts
