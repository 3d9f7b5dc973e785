// The table of commands as text: --help, the man page and docs/cli.md.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"

namespace raven::cli {

/// `raven --help`.
std::string overview_text(const std::vector<Command>& commands);

/// `raven <full_name> --help`; full_name is "config show" for a child.
std::string help_text(const Command& command, const std::string& full_name);

/// "raven config show [OPTIONS] [key.path=value ...]"
std::string usage_text(const Command& command, const std::string& full_name);

/// The man page raven(1), for `man -l`.
std::string man_page(const std::vector<Command>& commands);

/// docs/cli.md.
std::string markdown_text(const std::vector<Command>& commands);

/// What the exit codes mean: code, meaning.
std::vector<std::pair<int, std::string>> exit_code_meanings();

}  // namespace raven::cli
