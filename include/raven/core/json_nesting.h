// How deep a JSON text nests, told without a parser.
#pragma once

#include <cstddef>
#include <string_view>

namespace raven {

/// The most brackets and braces open at once, those inside strings left out; exact for valid JSON.
/// The JSON library reads any depth but writes by recursion, so a reader of foreign files that
/// writes back what it read refuses deep ones first: a few megabytes of '[' would end the stack.
std::size_t json_nesting(std::string_view text) noexcept;

}  // namespace raven
