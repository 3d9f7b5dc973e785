#include "raven/transcription/join_windows.h"

#include <gtest/gtest.h>

#include <sstream>

namespace raven::transcription {
namespace {

/// Words of 0.8 s, one a second, the first at `begin_s`.
std::vector<Word> words(const std::string& text, double begin_s) {
  std::vector<Word> all;
  std::istringstream in(text);
  for (std::string word; in >> word; begin_s += 1)
    all.push_back({.text = word, .begin_s = begin_s, .end_s = begin_s + 0.8, .confidence = 1});
  return all;
}

Passage window(double begin_s, double end_s, std::vector<Word> words) {
  return {.begin_s = begin_s, .end_s = end_s, .words = std::move(words)};
}

std::string joined(Passage before, Passage after) {
  join_windows(before, after);
  EXPECT_DOUBLE_EQ(before.end_s, after.begin_s);
  double last_s = 0;
  for (const auto* one : {&before, &after}) {
    for (const auto& word : one->words) {
      EXPECT_GE(word.begin_s, last_s);
      EXPECT_GE(word.end_s, word.begin_s);
      last_s = word.begin_s;
    }
  }
  return text_of(before.words) + " | " + text_of(after.words);
}

TEST(JoinWindows, InTheMiddleOfWhatBothHeard) {
  // Seconds 6 to 10 are shared. The first window heard its last word wrong, the second its first.
  EXPECT_EQ(joined(window(0, 10, words("A B C D E F G H I WRONG", 0)),
                   window(6, 16, words("BAD H I J K L M N O P", 6))),
            "A B C D E F G H | I J K L M N O P");
}

TEST(JoinWindows, EqualWordsCountOnlyAtTheSameTime) {
  // NO is in both, but two seconds apart; nothing agrees, so time decides: the middle is 8.
  EXPECT_EQ(joined(window(0, 10, words("A B C D E F NO X Y Z", 0)),
                   window(6, 16, words("P Q NO R S T", 6))),
            "A B C D E F NO X | NO R S T");
}

TEST(JoinWindows, TheLongerRunDecides) {
  EXPECT_EQ(joined(window(0, 10, words("A B C D E F G X I J", 0)),
                   window(6, 16, words("G Y I J K L", 6))),
            "A B C D E F G X I | J K L");
}

TEST(JoinWindows, OneOfThemMayBeEmpty) {
  EXPECT_EQ(joined(window(0, 10, {}), window(6, 16, words("A B C D E", 6))), " | C D E");
  EXPECT_EQ(joined(window(0, 10, words("A B C D E F G H I J", 0)), window(6, 16, {})),
            "A B C D E F G H | ");
}

}  // namespace
}  // namespace raven::transcription
