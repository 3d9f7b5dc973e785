// The lines of text files, whatever program wrote them.
#pragma once

#include <optional>
#include <string_view>

namespace raven::text {

/// Views into a text: lines end in LF or CR LF; in a text without any LF, in CR (as old Mac
/// programs and some exports of spreadsheets write them). A byte-order mark at the start is left
/// out.
class Lines {
 public:
  explicit Lines(std::string_view text);

  /// The next line without its end; nothing after the last. A text that ends in a line's end has no
  /// empty line behind it.
  std::optional<std::string_view> next();

 private:
  std::string_view rest_;
  char end_;
};

}  // namespace raven::text
