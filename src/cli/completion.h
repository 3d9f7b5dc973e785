// Completion scripts for shells, from the table of commands.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"

namespace raven::cli {

std::string bash_completion(const std::vector<Command>& commands);
std::string zsh_completion(const std::vector<Command>& commands);
std::string fish_completion(const std::vector<Command>& commands);

}  // namespace raven::cli
