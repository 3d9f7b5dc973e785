// Brackets and quotes of a YAML text that have no partner.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace raven::config {

struct Unclosed {
  char character = '[';  // [ { ] } ' or "
  int line = 1, column = 1;
  bool opens = true;  // false: a closing bracket too many, or of the wrong kind
  char expected = 0;  // in the place of one of the wrong kind

  /// "the bracket '[' is not closed: ']' is missing"
  [[nodiscard]] std::string text() const;
};

/// The quote or the innermost bracket that is left open, or the first closing bracket that does not
/// fit.
/// Brackets and quotes within words ("it's") and in comments are none.
std::optional<Unclosed> find_unclosed(std::string_view yaml);

}  // namespace raven::config
