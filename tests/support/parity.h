// Golden files: results of the published implementation (tests/parity/data/README.md).
#pragma once

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

namespace raven::parity {

/// RAVEN_PARITY_DIR, else the project's copy.
inline std::filesystem::path folder() {
  const char* given = std::getenv("RAVEN_PARITY_DIR");
  return given != nullptr && *given != '\0' ? given : RAVEN_SOURCE_DIR "/tests/parity/data";
}

/// `file`; throws when it is absent, so that a test without its data fails.
inline std::filesystem::path existing(std::filesystem::path file, const std::string& variable) {
  if (!std::filesystem::exists(file)) {
    throw std::runtime_error("golden file " + file.string() + " is missing; set " + variable +
                             " to a folder that has it");
  }
  return file;
}

/// Path of a golden file; throws when it is absent.
inline std::filesystem::path path(const std::string& name) {
  return existing(folder() / name, "RAVEN_PARITY_DIR");
}

/// RAVEN_REAL_DIR: real recordings, which the project has no copy of.
inline std::filesystem::path real_folder() {
  const char* given = std::getenv("RAVEN_REAL_DIR");
  return given != nullptr && *given != '\0' ? given : RAVEN_SOURCE_DIR "/tests/parity/data/real";
}

/// Path of a file of them, golden or recorded; throws when it is absent.
inline std::filesystem::path real_path(const std::string& name) {
  return existing(real_folder() / name, "RAVEN_REAL_DIR");
}

inline nlohmann::json json(const std::string& name) {
  const auto file = path(name);
  std::ifstream in(file);
  try {
    return nlohmann::json::parse(in);
  } catch (const nlohmann::json::exception& error) {
    throw std::runtime_error("golden file " + file.string() + ": " + error.what());
  }
}

/// Room for the digits that a file leaves out: 1e-8 of a number that nine significant digits can
/// write, be it one that was rounded to them or one that has no more; nothing for any other.
inline double rounding(double number) {
  char nine_digits[32];
  std::snprintf(nine_digits, sizeof(nine_digits), "%.9g", number);
  return std::strtod(nine_digits, nullptr) == number ? 1e-8 * std::abs(number) : 0;
}

/// The cases of a file; throws when there are none, so that an emptied file cannot pass.
inline nlohmann::json cases(const nlohmann::json& content) {
  auto all = content.at("cases");
  if (all.empty()) throw std::runtime_error("a golden file lists no cases");
  return all;
}

}  // namespace raven::parity
