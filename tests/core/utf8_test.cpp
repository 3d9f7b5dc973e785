#include "raven/core/utf8.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace raven {
namespace {

TEST(Printable, LeavesOrdinaryNamesAlone) {
  EXPECT_EQ(printable("pretrain/abc-1/00003"), "pretrain/abc-1/00003");
  EXPECT_EQ(printable("it's a \"name\" \xC3\xA9\xE2\x82\xAC"),
            "it's a \"name\" \xC3\xA9\xE2\x82\xAC");
}

TEST(Printable, KeepsDifferentNamesDifferent) {
  EXPECT_EQ(printable("a\nb\tc"), "a%0Ab%09c");
  EXPECT_EQ(printable("a%0Ab"), "a%250Ab");
  EXPECT_EQ(printable("caf\xE9"), "caf%E9");
  EXPECT_EQ(printable(std::string_view("\0\x7F", 2)), "%00%7F");
}

TEST(Printable, AsUtf8LeavesWhatIsUtf8Alone) {
  EXPECT_EQ(as_utf8("caf\xC3\xA9 100%\n"), "caf\xC3\xA9 100%\n");
  EXPECT_EQ(as_utf8("caf\xE9 100%"), "caf%E9 100%25");
  EXPECT_NE(as_utf8("caf\xE9"), as_utf8("caf\xE8"));
}

TEST(Printable, KnowsUtf8) {
  for (const auto* text : {"", "plain", "\xC2\x80", "\xE0\xA0\x80", "\xED\x9F\xBF",
                           "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(is_utf8(text)) << text;
  }
  for (const auto* text :
       {"\x80", "\xC1\xBF", "\xC3", "\xC3(", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xE2\x82",
        "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "ok\xFF"}) {
    EXPECT_FALSE(is_utf8(text)) << text;
  }
}

TEST(Utf8, TakesCharactersOneByOne) {
  std::string_view text = "a\xC3\x89\xE2\x96\x81\xF0\x9F\x98\x80\xFFz";
  std::vector<char32_t> codes;
  std::string again;
  while (!text.empty()) {
    const auto [code, bytes] = take_character(text);
    codes.push_back(code);
    append_utf8(again, code);
  }
  EXPECT_EQ(codes, (std::vector<char32_t>{'a', 0xC9, 0x2581, 0x1F600, kReplacementCharacter, 'z'}));
  EXPECT_EQ(again, "a\xC3\x89\xE2\x96\x81\xF0\x9F\x98\x80\xEF\xBF\xBDz");
}

TEST(Utf8, EveryCharacterIsReadAsItWasWritten) {
  for (char32_t code = 0; code <= 0x10FFFF; ++code) {
    if (code >= 0xD800 && code < 0xE000) continue;
    std::string bytes;
    append_utf8(bytes, code);
    std::string_view rest = bytes;
    ASSERT_EQ(take_character(rest).code, code);
    ASSERT_TRUE(rest.empty());
  }
}

TEST(ForTerminal, WritesWhatSteersATerminalInLetters) {
  EXPECT_EQ(for_terminal("plain, two\tcolumns\nand lines"), "plain, two\tcolumns\nand lines");
  EXPECT_EQ(for_terminal("\x1b[31mred\x07\r\x7f"), "\\u001b[31mred\\u0007\\u000d\\u007f");
  EXPECT_EQ(for_terminal(std::string_view("a\0b", 3)), "a\\u0000b");
  EXPECT_EQ(for_terminal("\xC2\x9B"
                         "31m \xC2\xA0"),
            "\\u009b31m \xC2\xA0");  // CSI in the set C1
  EXPECT_EQ(for_terminal("\x9B"
                         "31m \xFF"),
            "\\x9b31m \\xff");
  EXPECT_EQ(for_terminal("\u202Egnp.exe\u2066"), "\\u202egnp.exe\\u2066");
  EXPECT_EQ(for_terminal("Ähre \u05D0 \u200F \uFFFD 猫"), "Ähre \u05D0 \u200F \uFFFD 猫");
}

}  // namespace
}  // namespace raven
