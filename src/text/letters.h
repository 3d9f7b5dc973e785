// Letters by Unicode's tables (utf8proc): composing, capitals, small letters.
#pragma once

#include <string>
#include <string_view>

namespace raven::text {

/// A text's characters; a byte that is not UTF-8 is U+FFFD.
std::u32string characters(std::string_view text);

/// The normal form C: a letter and its marks are one character where there is one.
std::u32string composed(std::u32string_view text);

/// A character as capitals, accents as characters of their own: 'ß' is SS, a ligature or digraph
/// its letters.
std::u32string capitals(char32_t code);

/// The small letter of a capital; other characters as they are.
char32_t small_letter(char32_t code);
/// The capital of a small letter; other characters as they are.
char32_t capital_letter(char32_t code);

bool is_letter(char32_t code);
/// A letter that has capitals, or is one.
bool has_case(char32_t code);
/// An accent or the like, which belongs to the character before.
bool is_mark(char32_t code);

}  // namespace raven::text
