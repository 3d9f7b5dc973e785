#include "raven/core/lines.h"

#include <algorithm>

#include "raven/core/error.h"

namespace raven {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

Lines::Lines(std::string_view content) noexcept
    : rest_(content), end_(content.find('\n') == std::string_view::npos ? '\r' : '\n') {
  if (rest_.starts_with(kByteOrderMark)) rest_.remove_prefix(kByteOrderMark.size());
}

Lines::Lines(std::string_view content, std::string_view name) : Lines(content) {
  if (content.starts_with("\xFF\xFE") || content.starts_with("\xFE\xFF"))
    throw DataError(fmt::format("{}: is UTF-16 text; save it as UTF-8", name), "text");
  const auto nul = rest_.find('\0');
  if (nul == std::string_view::npos) return;
  const auto line = 1 + std::ranges::count(rest_.substr(0, nul), end_);
  throw DataError(fmt::format("{}:{}: holds a NUL byte: it is no text in UTF-8 (UTF-16, or a film "
                              "where a list is expected)",
                              name, line),
                  "text");
}

std::optional<std::string_view> Lines::next() noexcept {
  if (rest_.empty()) return std::nullopt;
  ++number_;
  const auto end = rest_.find(end_);
  auto line = rest_.substr(0, end);
  rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace raven
