#include "raven/text/normalise.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "raven/core/utf8.h"
#include "raven/text/words.h"
#include "text/letters.h"

namespace raven::text {
namespace {

constexpr std::string_view kUnknownName = "<unk>";
constexpr char32_t kDotAbove = 0x307;

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

/// Collects words; what stands between two of them is dropped.
class Words {
 public:
  /// A part of a word. A dot above an I is left out: i with a dot is I with one in Turkish alone.
  void add(char32_t capital) {
    if (capital == kDotAbove && letter_ == 'I') return;
    if (!is_mark(capital)) letter_ = capital;
    word_ += capital;
  }
  /// A part of a word that stays as it is.
  void add_literal(std::string_view text) {
    write();
    put(text);
  }
  void end_word() {
    write();
    starts_word_ = true;
  }
  std::string take() {
    end_word();
    return std::move(out_);
  }

 private:
  void write() {
    std::string bytes;
    for (const auto code : composed(word_)) append_utf8(bytes, code);
    word_.clear();
    letter_ = 0;
    put(bytes);
  }
  void put(std::string_view bytes) {
    if (bytes.empty()) return;
    if (starts_word_ && !out_.empty()) out_ += ' ';
    starts_word_ = false;
    out_ += bytes;
  }

  std::string out_;
  std::u32string word_;  // the end of the last word, not written yet
  char32_t letter_ = 0;  // the last character of `word_` that is not a mark
  bool starts_word_ = true;
};

/// A character of a stretch without white space.
void add_character(Words& words, char32_t met, CharacterReport* report) {
  if (is_plain(met)) return words.add(met);
  if (between(met, 'a', 'z')) return words.add(met - 32);
  if (is_apostrophe(met)) return words.add('\'');
  if (is_invisible(met)) return;
  bool replaced = !has_case(met) && separates(met), kept = false;
  if (replaced) {
    words.end_word();
  } else {
    for (const auto code : capitals(met)) {
      if (!is_plain(code) && has_case(met) && separates(code)) {  // of a digraph: L·
        words.end_word();
        replaced = true;
      } else {
        words.add(is_apostrophe(code) ? U'\'' : code);
        kept = kept || !(is_plain(code) || is_apostrophe(code));
      }
    }
  }
  if (report != nullptr && (replaced || kept)) ++(replaced ? report->replaced : report->kept)[met];
}

/// Appends what a stretch without white space gives: no word, one or several.
void add_words(Words& words, std::string_view text, CharacterReport* report) {
  while (!text.empty()) {
    const auto unknown = text.find(kUnknownName);
    for (const auto code : composed(characters(text.substr(0, unknown)))) {
      add_character(words, code, report);
    }
    if (unknown == std::string_view::npos) break;
    words.add_literal(kUnknownName);
    text.remove_prefix(unknown + kUnknownName.size());
  }
  words.end_word();
}

}  // namespace

std::string normalise(std::string_view text, CharacterReport* report) {
  Words words;
  for (const auto word : split_words(text)) add_words(words, word, report);
  return words.take();
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
