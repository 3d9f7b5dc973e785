// Results on stdout.
#pragma once

#include <string_view>

namespace raven::cli {

/// What people read: nothing of what data hold steers their terminal (for_terminal). JSON keeps its
/// meaning. Throws std::system_error when stdout cannot take it, so that a command ends where its
/// reader does (`raven inspect FILE | head`).
void print(std::string_view text);

/// What programs read, byte by byte, unless stdout is a terminal.
void print_content(std::string_view text);

}  // namespace raven::cli
