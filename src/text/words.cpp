#include "raven/text/words.h"

#include "raven/core/utf8.h"

namespace raven::text {

bool is_space(char32_t code) noexcept {
  return code == ' ' || (code >= 0x09 && code <= 0x0D) || (code >= 0x1C && code <= 0x1F) ||
         code == 0x85 || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) ||
         code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  const char* begin = nullptr;  // of the word that is being read
  const auto end_word = [&](const char* end) {
    if (begin != nullptr) words.emplace_back(begin, static_cast<std::size_t>(end - begin));
    begin = nullptr;
  };
  while (!text.empty()) {
    const auto [code, bytes] = take_character(text);
    if (is_space(code)) {
      end_word(bytes.data());
    } else if (begin == nullptr) {
      begin = bytes.data();
    }
  }
  end_word(text.data());
  return words;
}

std::vector<std::string_view> split_characters(std::string_view text) {
  std::vector<std::string_view> characters;
  while (!text.empty()) characters.push_back(take_character(text).bytes);
  return characters;
}

std::string join_words(const std::vector<std::string_view>& words) {
  std::string out;
  for (const auto word : words) {
    if (!out.empty()) out += ' ';
    out += word;
  }
  return out;
}

}  // namespace raven::text
