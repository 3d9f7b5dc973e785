// The command of a stage of training.
#pragma once

#include <string>

#include "cli/command.h"

namespace raven::cli {

/// Trains the stage of that name (train::stages()) as the arguments configure it.
ExitCode train_stage(const std::string& name, const Arguments& arguments);

}  // namespace raven::cli
