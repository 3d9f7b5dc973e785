// Programs that raven starts.
#pragma once

#include <filesystem>
#include <string>

namespace raven::cli {

/// Beside this program, else on PATH; empty when there is none.
std::filesystem::path find_program(const std::string& name);

}  // namespace raven::cli
