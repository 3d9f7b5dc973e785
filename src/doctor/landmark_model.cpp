#include "raven/doctor/landmark_model.h"

#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "raven/faces/landmark_model.h"

namespace raven::doctor {

LandmarkModelFile try_landmark_model(const std::filesystem::path& file) {
  LandmarkModelFile model{.file = file};
  if (::access(file.c_str(), R_OK) != 0) {
    model.problem = std::strerror(errno);
    return model;
  }
  std::error_code code;
  model.bytes = std::filesystem::file_size(file, code);
  if (code) model.problem = code.message();
  return model;
}

Findings check_landmark_model(const LandmarkModelFile& model) {
  constexpr const char* kId = "faces.model";
  if (model.problem.empty())
    return {
        {.id = kId, .what = fmt::format("{}, {}", model.file.string(), size_text(model.bytes))}};
  return {{.id = kId,
           .level = Level::kWarning,
           .what = fmt::format("{}: {}", model.file.string(), model.problem),
           .means = "faces are not found in films without landmarks",
           .remedy = std::string(faces::kLandmarkModelRemedy)}};
}

}  // namespace raven::doctor
