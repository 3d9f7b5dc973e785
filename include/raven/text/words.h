// What separates words: everything that splits, joins or compares them goes by this rule.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace raven::text {

/// Unicode white space as Python's str.split() has it: also U+00A0, U+0085, U+3000 and U+001C to
/// U+001F, but not U+200B.
bool is_space(char32_t code) noexcept;

/// The words of a text, as views into it. Bytes that are not UTF-8 belong to words.
std::vector<std::string_view> split_words(std::string_view text);

/// The characters of a text, as views into it; a byte that is not UTF-8 is one of its own.
std::vector<std::string_view> split_characters(std::string_view text);

/// The words with one blank between them.
std::string join_words(const std::vector<std::string_view>& words);

}  // namespace raven::text
