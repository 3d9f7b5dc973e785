#include "raven/text/words.h"

#include <gtest/gtest.h>

namespace raven::text {
namespace {

std::vector<std::string> strings(const std::vector<std::string_view>& views) {
  return {views.begin(), views.end()};
}

using Strings = std::vector<std::string>;

TEST(Words, AreSplitAsPythonSplitsThem) {
  EXPECT_EQ(strings(split_words("")), Strings());
  EXPECT_EQ(strings(split_words(" \t\r\n\v\f")), Strings());
  EXPECT_EQ(strings(split_words("  A \t IT'S\n")), (Strings{"A", "IT'S"}));
  // U+00A0, U+0085, U+3000, U+001C, U+2028 separate; U+200B does not.
  EXPECT_EQ(strings(split_words("A\xC2\xA0"
                                "B\xC2\x85"
                                "C\xE3\x80\x80"
                                "D\x1C"
                                "E\xE2\x80\xA8"
                                "F\xE2\x80\x8B"
                                "G")),
            (Strings{"A", "B", "C", "D", "E",
                     "F\xE2\x80\x8B"
                     "G"}));
}

TEST(Words, HoldBytesThatAreNoUtf8) {
  EXPECT_EQ(strings(split_words("A\xFF \xA0 B\xC2")), (Strings{"A\xFF", "\xA0", "B\xC2"}));
}

TEST(Words, CharactersAreCodePoints) {
  EXPECT_EQ(strings(split_characters("A\xC3\x89\xE2\x96\x81\xFF")),
            (Strings{"A", "\xC3\x89", "\xE2\x96\x81", "\xFF"}));
}

TEST(Words, AreJoinedByOneBlank) {
  EXPECT_EQ(join_words(split_words(" A\tB  C ")), "A B C");
  EXPECT_EQ(join_words({}), "");
}

}  // namespace
}  // namespace raven::text
