#include "raven/core/lines.h"

namespace raven {

Lines::Lines(std::string_view content) noexcept : rest_(content) {
  const auto end = content.find_first_of("\r\n");
  ends_in_cr_ = end != std::string_view::npos && content.substr(end, 1) == "\r" &&
                content.substr(end, 2) != "\r\n";
}

std::optional<std::string_view> Lines::next() noexcept {
  if (rest_.empty()) return std::nullopt;
  ++number_;
  const auto end = ends_in_cr_ ? rest_.find_first_of("\r\n") : rest_.find('\n');
  if (end == std::string_view::npos) {
    auto last = rest_;
    rest_ = {};
    if (last.ends_with('\r')) last.remove_suffix(1);
    return last;
  }
  auto line = rest_.substr(0, end);
  const auto after = rest_.substr(end, 2) == "\r\n" ? end + 2 : end + 1;
  rest_.remove_prefix(after);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace raven
