#include "raven/core/json_nesting.h"

#include <gtest/gtest.h>

#include <string>

#include "core/parse_json.h"

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

TEST(ParseJson, RefusesNestingBeforeAnythingGoesDeep) {
  EXPECT_EQ(parse_json(R"({"a": [1]})")["a"][0], 1);
  EXPECT_TRUE(parse_json("{").is_discarded());
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_FALSE(parse_json(nested(kMaxJsonNesting)).is_discarded());
  EXPECT_TRUE(parse_json(nested(kMaxJsonNesting + 1)).is_discarded());
  EXPECT_TRUE(parse_json(nested(5'000'000)).is_discarded());
  EXPECT_TRUE(parse_json<nlohmann::ordered_json>(nested(3), 2).is_discarded());
}

}  // namespace
}  // namespace raven
