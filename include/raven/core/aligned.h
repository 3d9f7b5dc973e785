// Tables for a terminal.
#pragma once

#include <string>
#include <vector>

namespace raven {

/// One line of text for each line of cells: columns as wide as their widest cell in characters, two
/// blanks between them, the first to the left and the others to the right. Every line must have as
/// many cells as the first; no lines give no text.
std::string aligned(const std::vector<std::vector<std::string>>& lines);

}  // namespace raven
