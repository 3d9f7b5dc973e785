#include "raven/core/json_nesting.h"

#include <gtest/gtest.h>

#include <string>

namespace raven {
namespace {

TEST(JsonNesting, CountsWhatIsOpenAtOnce) {
  EXPECT_EQ(json_nesting(""), 0U);
  EXPECT_EQ(json_nesting("17"), 0U);
  EXPECT_EQ(json_nesting("{}"), 1U);
  EXPECT_EQ(json_nesting(R"([{"a": [1]}, [], [[]]])"), 3U);
  EXPECT_EQ(json_nesting(std::string(1000, '[')), 1000U);
  EXPECT_EQ(json_nesting("]]]["), 1U);
}

TEST(JsonNesting, LeavesStringsOut) {
  EXPECT_EQ(json_nesting(R"({"[[[[": "{{{{"})"), 1U);
  EXPECT_EQ(json_nesting(R"(["\"[[", "\\", [1]])"), 2U);
  EXPECT_EQ(json_nesting("[\"\\"), 1U);
}

}  // namespace
}  // namespace raven
