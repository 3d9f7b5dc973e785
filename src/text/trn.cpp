#include "raven/text/trn.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>
#include <set>
#include <utility>

#include "raven/core/error.h"
#include "raven/core/lines.h"
#include "raven/core/utf8.h"
#include "raven/text/words.h"

namespace raven::text {
namespace {

constexpr std::string_view kSpecial = "{}/()@;\\*%";
constexpr std::string_view kUnknownSpeaker = "unknown";

std::string percent(std::string_view bytes) {
  std::string out;
  for (const char byte : bytes) out += fmt::format("%{:02X}", static_cast<unsigned char>(byte));
  return out;
}

/// `keep` are special characters that may stand as they are.
std::string escaped(std::string_view text, std::string_view more_special, std::string_view keep) {
  std::string out;
  while (!text.empty()) {
    const auto [code, bytes] = take_character(text);
    const bool is_ascii = code < 0x80;
    const char c = is_ascii ? static_cast<char>(code) : '\0';
    const bool special =
        is_ascii ? code < 0x20 || code == 0x7F ||
                       (kSpecial.find(c) != std::string_view::npos &&
                        keep.find(c) == std::string_view::npos) ||
                       more_special.find(c) != std::string_view::npos
                 : is_space(code) || (code == kReplacementCharacter && bytes.size() == 1);
    out += special ? percent(bytes) : std::string(bytes);
  }
  return out;
}

std::string unescaped(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    int value = 0;
    const auto digits = text.substr(0, 3);
    const bool is_escape =
        digits.size() == 3 && digits[0] == '%' &&
        std::isxdigit(static_cast<unsigned char>(digits[1])) != 0 &&
        std::from_chars(digits.data() + 1, digits.data() + 3, value, 16).ptr == digits.data() + 3;
    out += is_escape ? static_cast<char>(value) : text[0];
    text.remove_prefix(is_escape ? 3 : 1);
  }
  return out;
}

std::string folded(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string without_capitals(const std::string& text) {
  std::string out;
  for (const char c : text) out += c >= 'A' && c <= 'Z' ? percent({&c, 1}) : std::string(1, c);
  return out;
}

class TrnParser {
 public:
  TrnParser(std::string_view content, const std::string& name)
      : lines_(content, name), name_(name) {}

  std::vector<TrnUtterance> parse() {
    while (const auto line = lines_.next()) {
      ++line_;
      read(*line);
    }
    return std::move(utterances_);
  }

 private:
  void read(std::string_view line) {
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r'))
      line.remove_suffix(1);
    if (line.empty() || line.starts_with(";;")) return;
    const auto open = line.rfind('(');
    if (line.back() != ')' || open == std::string_view::npos)
      fail("expected 'WORDS (speaker-utterance)', found no id in parentheses at the end");
    const auto id = line.substr(open + 1, line.size() - open - 2);
    if (split_words(id).size() != 1) fail("the id is empty or holds white space");
    const auto [earlier, is_new] = line_of_.emplace(id, line_);
    if (!is_new)
      fail(fmt::format("id '{}' stands already in line {}", printable(id), earlier->second));
    const auto dash = id.find('-');
    const auto has_speaker = dash != std::string_view::npos;
    utterances_.push_back({.speaker = has_speaker ? unescaped(id.substr(0, dash)) : "",
                           .utterance = unescaped(id.substr(has_speaker ? dash + 1 : 0)),
                           .text = words(line.substr(0, open)),
                           .line = line_,
                           .column = static_cast<std::int64_t>(open) + 2});
  }

  std::string words(std::string_view text) const {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '{' || text[i] == '}')
        fail("alternations in braces are not supported, expected plain words");
      if (text[i] == '\\' && i + 1 < text.size()) ++i;
      out += text[i];
    }
    std::vector<std::string> words;
    for (const auto word : split_words(out)) words.push_back(unescaped_word(word));
    return fmt::format("{}", fmt::join(words, " "));
  }

  /// As it stands where an escape would bring white space or control characters into it.
  static std::string unescaped_word(std::string_view word) {
    auto plain = unescaped(word);
    const bool broken = split_words(plain).size() != 1 || is_utf8(plain) != is_utf8(word) ||
                        std::any_of(plain.begin(), plain.end(),
                                    [](unsigned char c) { return c <= 0x20 || c == 0x7F; });
    return broken ? std::string(word) : plain;
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw DataError(fmt::format("{}:{}: {}", name_, line_, what), "trn");
  }

  Lines lines_;
  const std::string& name_;
  std::int64_t line_ = 0;
  std::map<std::string, std::int64_t, std::less<>> line_of_;  // by id
  std::vector<TrnUtterance> utterances_;
};

}  // namespace

std::string write_trn(const std::vector<TrnUtterance>& utterances) {
  std::string out;
  std::set<std::string> ids;
  for (const auto& [speaker, utterance, text, line, column] : utterances) {
    auto id = escaped(speaker.empty() ? kUnknownSpeaker : speaker, " -", "") + "-" +
              escaped(utterance, " ", "/");
    if (!ids.insert(folded(id)).second) {
      id = without_capitals(id);
      ids.insert(folded(id));
    }
    for (const auto word : split_words(text)) out += escaped(word, "", "") + " ";
    out += "(" + id + ")\n";
  }
  return out;
}

std::vector<TrnUtterance> parse_trn(std::string_view content, const std::string& name) {
  return TrnParser(content, name).parse();
}

}  // namespace raven::text
