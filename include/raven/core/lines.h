// Lines of a text file, whichever program wrote it.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace raven {

/// Goes through the lines of `content` without their ends, counting from 1. They end in LF or CRLF,
/// or in CR where there is no LF at all, as old Macs and some spreadsheets write. The end of the
/// last line may be left out; a byte-order mark at the start is. Views are into `content`, which
/// must stay.
class Lines {
 public:
  explicit Lines(std::string_view content) noexcept;
  /// Of a list that people write, called `name` in messages. Throws DataError ("text") for UTF-16,
  /// by its byte-order mark or its NUL bytes: each of those would count as a character.
  Lines(std::string_view content, std::string_view name);

  std::optional<std::string_view> next() noexcept;
  /// Of the line that next() gave last; 0 before the first.
  [[nodiscard]] std::size_t number() const noexcept { return number_; }
  /// What next() has not given yet.
  [[nodiscard]] std::string_view rest() const noexcept { return rest_; }

 private:
  std::string_view rest_;
  std::size_t number_ = 0;
  char end_;
};

}  // namespace raven
