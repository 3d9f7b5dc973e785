// White space in text files that come with clips.
#pragma once

#include <string_view>
#include <vector>

namespace raven::corpus {

inline constexpr std::string_view kSpaces{" \t\r\n\v\f\0", 7};
inline constexpr double kMostSeconds = 1e6;  // a later time in a text file is none

inline std::vector<std::string_view> split_at_spaces(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto begin = text.find_first_not_of(kSpaces);
    if (begin == std::string_view::npos) return parts;
    text.remove_prefix(begin);
    const auto end = text.find_first_of(kSpaces);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end);
  }
}

}  // namespace raven::corpus
