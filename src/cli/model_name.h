// What a model is called in results.
#pragma once

#include <filesystem>
#include <string>

namespace raven::cli {

/// Of a run the folder's name, of a file its name without the ending.
inline std::string model_name(const std::filesystem::path& model) {
  const auto path = std::filesystem::absolute(model).lexically_normal();
  const auto stem = path.filename().empty() ? path.parent_path().filename() : path.stem();
  return stem.string();
}

}  // namespace raven::cli
