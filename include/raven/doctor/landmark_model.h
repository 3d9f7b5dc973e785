// The model by which faces are found in films without landmarks.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "raven/doctor/finding.h"

namespace raven::doctor {

struct LandmarkModelFile {
  std::filesystem::path file;
  std::uint64_t bytes = 0;
  std::string problem;  // why it cannot be read; empty: it can
};

LandmarkModelFile try_landmark_model(const std::filesystem::path& file);

/// faces.model.
Findings check_landmark_model(const LandmarkModelFile& model);

}  // namespace raven::doctor
