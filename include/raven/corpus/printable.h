// File names and texts of others as one line of text.
#pragma once

#include <string>
#include <string_view>

namespace raven::corpus {

bool is_utf8(std::string_view text) noexcept;

/// The same text with control characters and '%' written as %XX, so that different texts stay
/// different; bytes beyond ASCII are written so as well when the text is not UTF-8.
std::string printable(std::string_view text);

}  // namespace raven::corpus
