// Text of others inside a page: nothing that a file holds becomes markup.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace raven::report {

/// Safe as an element's content and inside a quoted attribute. Bytes that are not UTF-8, control
/// characters and characters that turn the direction of writing become U+FFFD; beyond
/// `max_characters` the text is cut and says so.
std::string escaped(std::string_view text, std::size_t max_characters = 2000);

/// "data:image/png;base64,..."
std::string data_uri(std::string_view media_type, std::string_view bytes);

/// Numbers for readers: 0.1234, 12,345, 1.2e-05; so many significant digits below 10,000.
std::string number_text(double value, int digits = 4);

/// "1 utterance", "12 utterances".
std::string counted(double count, std::string_view noun);

/// A fraction as "42.1 %".
std::string percent_text(double fraction);
/// Of one utterance: "WER 42.1 %"; "empty reference" for an infinite rate.
std::string wer_text(double rate);

/// A count with separators, "1,234,567".
std::string count_text(std::int64_t count);

/// "<td>...</td>" with a number on the right; `text` is escaped already.
std::string number_cell(std::string_view text);

/// A <details> block, closed at first: `summary` and `content` are markup.
std::string details(std::string_view summary, std::string_view content);

/// A table that scrolls by itself when it is wider than its place; `caption` is plain text,
/// `content` rows of markup.
std::string table(std::string_view caption, std::string_view content);

}  // namespace raven::report
