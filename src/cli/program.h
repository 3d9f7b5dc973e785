// What main does: finds the command, runs it, turns exceptions into exit codes.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"

namespace raven::cli {

/// Runs `arguments` (without the program's name) against `commands`; returns the exit code. Errors
/// go to stderr.
int run_program(const std::vector<Command>& commands, const std::vector<std::string>& arguments);

/// Version of raven, of the libraries it is built with, and of the compiler; several lines.
std::string version_text();

}  // namespace raven::cli
