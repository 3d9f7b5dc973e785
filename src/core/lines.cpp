#include "raven/core/lines.h"

namespace raven {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

Lines::Lines(std::string_view content) noexcept
    : rest_(content), end_(content.find('\n') == std::string_view::npos ? '\r' : '\n') {
  if (rest_.starts_with(kByteOrderMark)) rest_.remove_prefix(kByteOrderMark.size());
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
