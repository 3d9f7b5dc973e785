#include "raven/core/lines.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "raven/core/error.h"

namespace raven {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
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

TEST(Lines, EndInCarriageReturnWhereThereIsNoLineFeed) {
  EXPECT_THAT(lines_of("a\rb\r\rc"), ElementsAre("a", "b", "", "c"));
  EXPECT_THAT(lines_of("a\rb\r"), ElementsAre("a", "b"));
}

TEST(Lines, KeepACarriageReturnInsideALineOfAnotherFile) {
  EXPECT_THAT(lines_of("head\na\rb\n"), ElementsAre("head", "a\rb"));
  EXPECT_THAT(lines_of("a\rb\nc"), ElementsAre("a\rb", "c"));
}

TEST(Lines, LeaveOutAByteOrderMark) {
  EXPECT_THAT(lines_of("\xEF\xBB\xBF"
                       "a\nb"),
              ElementsAre("a", "b"));
  EXPECT_THAT(lines_of("\xEF\xBB\xBF"), IsEmpty());
}

TEST(Lines, OfAListAreNoUtf16) {
  using namespace std::string_view_literals;
  const auto error_of = [](std::string_view content) {
    try {
      const Lines lines(content, "list.txt");
    } catch (const DataError& error) {
      EXPECT_EQ(error.reason(), "text");
      return std::string(error.what());
    }
    return std::string("none");
  };
  EXPECT_THAT(error_of("\xFF\xFE"
                       "a\0\n\0"sv),
              HasSubstr("list.txt: is UTF-16 text"));
  EXPECT_THAT(error_of("\xFE\xFF\0a"sv), HasSubstr("list.txt: is UTF-16 text"));
  EXPECT_THAT(error_of("a\0\n\0"sv), HasSubstr("list.txt:1: holds a NUL byte"));
  EXPECT_THAT(error_of("a\nb\nc\0\n"sv), HasSubstr("list.txt:3: holds a NUL byte"));
  EXPECT_THAT(error_of("a\rb\0"sv), HasSubstr("list.txt:2: holds a NUL byte"));
  EXPECT_EQ(error_of("\xEF\xBB\xBF"
                     "caf\xE9\n"sv),
            "none");
}

}  // namespace
}  // namespace raven
