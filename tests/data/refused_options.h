// Preparations that are refused.
#pragma once

#include <string>

#include "raven/core/error.h"
#include "raven/data/preparation.h"

namespace raven::data {

/// What is said of the options; "accepted" when nothing is.
inline std::string config_error(const PreparationOptions& options) {
  try {
    prepare(options);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

}  // namespace raven::data
