#include "text/letters.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <vector>

#include "raven/core/error.h"
#include "raven/core/utf8.h"

namespace raven::text {
namespace {

utf8proc_int32_t number(char32_t code) { return static_cast<utf8proc_int32_t>(code); }

int combining_class(char32_t code) { return utf8proc_get_property(number(code))->combining_class; }

/// Georgian sentences and names begin with the same letters as they go on: its capitals (Mtavruli)
/// are a headline's, so the ordinary letters stay.
bool stays_small(char32_t code) { return code >= 0x10D0 && code <= 0x10FF; }

/// The character's parts in Unicode's decomposition; `options` as utf8proc names them.
std::u32string parts(char32_t code, int options) {
  std::array<utf8proc_int32_t, 32> found{};
  int boundary = 0;
  const auto count = utf8proc_decompose_char(number(code), found.data(), found.size(),
                                             static_cast<utf8proc_option_t>(options), &boundary);
  if (count < 0 || count > std::ssize(found)) return {code};  // a surrogate, or no character
  return {found.begin(), found.begin() + count};
}

/// Marks of one letter in Unicode's order. Sorted here, as utf8proc takes squared time for many.
void order_marks(std::u32string& text) {
  for (auto begin = text.begin(); begin != text.end();) {
    if (!is_mark(*begin)) {
      ++begin;
      continue;
    }
    const auto end = std::find_if_not(begin, text.end(), is_mark);
    std::stable_sort(
        begin, end, [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
    begin = end;
  }
}

}  // namespace

std::u32string characters(std::string_view text) {
  std::u32string codes;
  while (!text.empty()) codes += take_character(text).code;
  return codes;
}

std::u32string composed(std::u32string_view text) {
  if (std::ranges::all_of(text, [](char32_t code) { return code < 0x300; })) {
    return std::u32string(text);  // Latin-1 and Latin Extended without marks of their own
  }
  std::u32string decomposed;
  for (const auto code : text) decomposed += parts(code, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE);
  order_marks(decomposed);
  std::vector<utf8proc_int32_t> codes(decomposed.begin(), decomposed.end());
  const auto count =
      utf8proc_normalize_utf32(codes.data(), std::ssize(codes),
                               static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  RAVEN_CHECK(count >= 0, "utf8proc: {}", utf8proc_errmsg(count));
  return {codes.begin(), codes.begin() + count};
}

std::u32string capitals(char32_t code) {
  // Folding writes out what one capital cannot stand for ('ß', 'ŉ', ligatures).
  auto all = parts(code, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE |
                             (has_case(code) ? UTF8PROC_COMPAT | UTF8PROC_CASEFOLD : 0));
  for (auto& part : all) part = capital_letter(part);
  return all;
}

char32_t small_letter(char32_t code) {
  return static_cast<char32_t>(utf8proc_tolower(number(code)));
}

char32_t capital_letter(char32_t code) {
  return stays_small(code) ? code : static_cast<char32_t>(utf8proc_toupper(number(code)));
}

bool is_letter(char32_t code) {
  const auto category = utf8proc_category(number(code));
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool has_case(char32_t code) {
  const auto category = utf8proc_category(number(code));
  return category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LL ||
         category == UTF8PROC_CATEGORY_LT;
}

bool is_mark(char32_t code) { return code >= 0x300 && combining_class(code) != 0; }

}  // namespace raven::text
