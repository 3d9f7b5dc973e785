#include "raven/core/lines.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace raven {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> lines_of(std::string_view content) {
  std::vector<std::string> all;
  Lines lines(content);
  while (const auto line = lines.next()) all.emplace_back(*line);
  EXPECT_EQ(lines.number(), all.size());
  return all;
}

TEST(Lines, EndInLineFeedWithOrWithoutCarriageReturn) {
  EXPECT_THAT(lines_of("a\nb\r\n\nc"), ElementsAre("a", "b", "", "c"));
  EXPECT_THAT(lines_of("a\r\nb\r\n"), ElementsAre("a", "b"));
  EXPECT_THAT(lines_of(""), IsEmpty());
  EXPECT_THAT(lines_of("\n"), ElementsAre(""));
}

TEST(Lines, EndInCarriageReturnWhereTheFirstOneDoes) {
  EXPECT_THAT(lines_of("a\rb\r\rc"), ElementsAre("a", "b", "", "c"));
  EXPECT_THAT(lines_of("a\rb\r\nc\nd\r"), ElementsAre("a", "b", "c", "d"));
}

TEST(Lines, KeepACarriageReturnInsideALineOfAnotherFile) {
  EXPECT_THAT(lines_of("head\na\rb\n"), ElementsAre("head", "a\rb"));
}

}  // namespace
}  // namespace raven
