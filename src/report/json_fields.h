// JSON of files that may hold anything: a field of the wrong kind is as good as absent.
#pragma once

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace raven::report {

using Json = nlohmann::ordered_json;

inline std::optional<double> number_of(const Json& value) {
  if (!value.is_number()) return std::nullopt;
  const double number = value.get<double>();
  return std::isfinite(number) ? std::optional(number) : std::nullopt;
}

inline std::optional<double> number_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? std::nullopt : number_of(*found);
}

inline std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : std::string();
}

inline std::string text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? std::string() : text_of(*found);
}

/// A small file's content; nothing, and a line in `problems`, when it is missing (if `required`),
/// too large or damaged.
std::optional<Json> read_json(const std::filesystem::path& file, bool required,
                              std::vector<std::string>& problems);

}  // namespace raven::report
