#include "data/pixel_font.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace raven::data {
namespace {

std::vector<std::string> drawn(std::string_view text, std::int64_t width) {
  std::vector<std::string> rows(kGlyphHeight, std::string(static_cast<std::size_t>(width), '.'));
  draw_text(text, [&](std::int64_t y, std::int64_t x) {
    rows[static_cast<std::size_t>(y)][static_cast<std::size_t>(x)] = '#';
  });
  return rows;
}

TEST(PixelFont, DrawsLettersSideBySide) {
  EXPECT_EQ(drawn("T1", 11),
            (std::vector<std::string>{"#####...#..", "..#....##..", "..#.....#..", "..#.....#..",
                                      "..#.....#..", "..#.....#..", "..#....###."}));
}

TEST(PixelFont, EveryLetterOfAsciiIsAnother) {
  std::set<std::vector<std::string>> seen;
  for (char c = ' '; c < 0x7F; ++c) seen.insert(drawn(std::string(1, c), kGlyphWidth));
  EXPECT_EQ(seen.size(), 95U);
  EXPECT_EQ(drawn("\xC3\xA9\xFF", 11), drawn("??", 11));  // a letter, and a byte that is none
}

TEST(PixelFont, CutsTextAtItsStart) {
  EXPECT_EQ(end_that_fits("abcdef", 36), "abcdef");
  EXPECT_EQ(end_that_fits("abcdef", 35), "..def");
  EXPECT_EQ(end_that_fits("ab\xC3\xA9\xC3\xA9"
                          "ef",
                          24),
            "..ef");
  EXPECT_EQ(end_that_fits("abc", 0), "..");
}

}  // namespace
}  // namespace raven::data
