#include "raven/text/lines.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace raven::text {
namespace {

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> found;
  for (Lines lines(text); const auto line = lines.next();) found.emplace_back(*line);
  return found;
}

using Strings = std::vector<std::string>;

TEST(Lines, EndAsAnySystemEndsThem) {
  for (const auto* text : {"A\nB\n\nC\n", "A\r\nB\r\n\r\nC\r\n", "A\rB\r\rC\r", "A\nB\n\nC"}) {
    EXPECT_EQ(lines_of(text), (Strings{"A", "B", "", "C"}));
  }
  EXPECT_EQ(lines_of(""), Strings());
  EXPECT_EQ(lines_of("\n"), Strings{""});
}

TEST(Lines, ALoneCarriageReturnIsTextWhereLinesEndOtherwise) {
  EXPECT_EQ(lines_of("A\rB\nC"), (Strings{"A\rB", "C"}));
}

TEST(Lines, LeaveOutAByteOrderMark) {
  EXPECT_EQ(lines_of("\xEF\xBB\xBF"
                     "A\n"),
            Strings{"A"});
  EXPECT_EQ(lines_of("\xEF\xBB\xBF"), Strings());
}

}  // namespace
}  // namespace raven::text
