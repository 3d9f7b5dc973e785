// Bytes of others as Unicode characters.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace raven {

/// Stands for bytes that are not UTF-8.
inline constexpr char32_t kReplacementCharacter = 0xFFFD;

/// Bytes of the character that starts `text`, or 0 when none does (RFC 3629: no surrogates, no
/// overlong forms).
std::size_t utf8_length(std::string_view text) noexcept;

bool is_utf8(std::string_view text) noexcept;

struct Character {
  char32_t code = 0;
  std::string_view bytes;  // as they stand in the text
};

/// Takes the first character off `text`, which must not be empty. A byte that starts no character
/// is taken alone, as U+FFFD.
Character take_character(std::string_view& text) noexcept;

/// A byte that starts none counts as one.
std::size_t num_characters(std::string_view text) noexcept;

void append_utf8(std::string& out, char32_t code);

/// The same text with control characters and '%' written as %XX, so that different texts stay
/// different; bytes beyond ASCII are written so as well when the text is not UTF-8.
std::string printable(std::string_view text);

/// For people's eyes: control characters other than newline and tab, characters that turn the
/// direction of what follows, and bytes that are not UTF-8 are written as \u001b and \x9b, so that
/// names and transcripts cannot steer a terminal. JSON stays JSON of the same meaning.
std::string for_terminal(std::string_view text);

/// The same text where it is UTF-8, else printable(text): fit for files that hold UTF-8 alone
/// (JSON). What was read back can be written again and stays the same. Texts that are UTF-8 stay
/// different; another one may become equal to one of those that has its %XX in it.
std::string as_utf8(std::string_view text);

}  // namespace raven
