#include "raven/core/aligned.h"

#include <algorithm>

#include "raven/core/error.h"
#include "raven/core/utf8.h"

namespace raven {
namespace {

std::string padded(const std::string& text, std::size_t width, bool left) {
  const std::string blanks(width - num_characters(text), ' ');
  return left ? text + blanks : blanks + text;
}

}  // namespace

std::string aligned(const std::vector<std::vector<std::string>>& lines) {
  if (lines.empty()) return {};
  std::vector<std::size_t> widths(lines.front().size());
  for (const auto& line : lines) {
    RAVEN_CHECK(line.size() == widths.size(), "lines of a table differ in their cells");
    for (std::size_t c = 0; c < line.size(); ++c)
      widths[c] = std::max(widths[c], num_characters(line[c]));
  }
  std::string text;
  for (const auto& line : lines) {
    std::string written;
    for (std::size_t c = 0; c < line.size(); ++c)
      written += (c == 0 ? "" : "  ") + padded(line[c], widths[c], c == 0);
    written.erase(written.find_last_not_of(' ') + 1);
    text += written + '\n';
  }
  return text;
}

}  // namespace raven
