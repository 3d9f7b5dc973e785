#include "raven/text/normalise.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "raven/core/utf8.h"
#include "raven/text/words.h"

namespace raven::text {
namespace {

constexpr std::string_view kUnknownName = "<unk>";

bool between(char32_t code, char32_t first, char32_t last) { return code >= first && code <= last; }

bool is_plain(char32_t code) {
  return between(code, 'A', 'Z') || between(code, '0', '9') || code == '\'';
}

bool is_apostrophe(char32_t code) {
  return code == '`' || code == 0xB4 || code == 0x2BC || code == 0x2018 || code == 0x2019 ||
         code == 0xFF07;
}

bool is_invisible(char32_t code) {
  return between(code, 0x200B, 0x200F) || code == 0xFEFF || code == 0xAD || code == 0x2060;
}

/// Punctuation, symbols and control characters.
bool separates(char32_t code) {
  return code < 0xA0 ||
         (between(code, 0xA1, 0xBF) && code != 0xAA && code != 0xB5 && code != 0xBA) ||
         code == 0xD7 || code == 0xF7 || between(code, 0x2010, 0x206F) ||
         between(code, 0x20A0, 0x20CF) || between(code, 0x2190, 0x2BFF) ||
         between(code, 0x2E00, 0x2E7F) || between(code, 0x3001, 0x3004) ||
         between(code, 0x3008, 0x3020) || between(code, 0xFF01, 0xFF0F) ||
         between(code, 0xFF1A, 0xFF20) || between(code, 0xFF3B, 0xFF40) ||
         between(code, 0xFF5B, 0xFF65);
}

char32_t to_upper(char32_t code) {
  if (between(code, 'a', 'z')) return code - 32;
  if (code < 0xE0) return code;
  if (between(code, 0xE0, 0xFE) && code != 0xF7) return code - 32;
  if (code == 0xFF) return 0x178;
  const bool odd = (code & 1) != 0;
  if (between(code, 0x100, 0x137) && code != 0x131) return odd ? code - 1 : code;
  if (between(code, 0x139, 0x148) || between(code, 0x179, 0x17E)) return odd ? code : code - 1;
  if (between(code, 0x14A, 0x177)) return odd ? code - 1 : code;
  if (between(code, 0x3B1, 0x3C9) && code != 0x3C2) return code - 32;
  if (code == 0x3C2) return 0x3A3;
  if (between(code, 0x430, 0x44F)) return code - 32;
  if (between(code, 0x450, 0x45F)) return code - 80;
  return code;
}

/// Appends what a stretch without white space gives: no word, one or several.
void add_words(std::string& out, std::string_view text, CharacterReport* report) {
  bool starts_word = true;
  const auto add = [&](std::string_view bytes) {
    if (starts_word && !out.empty()) out += ' ';
    starts_word = false;
    out += bytes;
  };
  while (!text.empty()) {
    if (text.substr(0, kUnknownName.size()) == kUnknownName) {
      add(kUnknownName);
      text.remove_prefix(kUnknownName.size());
      continue;
    }
    const auto met = take_character(text).code;
    const auto code = is_apostrophe(met) ? U'\'' : to_upper(met);
    if (is_invisible(code)) continue;
    const bool plain = is_plain(code);
    if (plain || !separates(code)) {
      std::string bytes;
      append_utf8(bytes, code);
      add(bytes);
    } else {
      starts_word = true;
    }
    if (report != nullptr && !plain) ++(separates(code) ? report->replaced : report->kept)[met];
  }
}

}  // namespace

std::string normalise(std::string_view text, CharacterReport* report) {
  std::string out;
  for (const auto word : split_words(text)) add_words(out, word, report);
  return out;
}

std::string describe(const std::map<char32_t, std::int64_t>& characters) {
  constexpr std::size_t kMost = 8;
  std::vector<std::pair<char32_t, std::int64_t>> sorted(characters.begin(), characters.end());
  std::ranges::stable_sort(sorted,
                           [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string out;
  for (std::size_t i = 0; i < std::min(kMost, sorted.size()); ++i) {
    std::string character;
    append_utf8(character, sorted[i].first);
    out += fmt::format("{}'{}' (U+{:04X}) {} times", i == 0 ? "" : ", ", printable(character),
                       static_cast<std::uint32_t>(sorted[i].first), sorted[i].second);
  }
  if (sorted.size() > kMost) out += fmt::format(" and {} more", sorted.size() - kMost);
  return out;
}

}  // namespace raven::text
