#include "raven/core/aligned.h"

#include <gtest/gtest.h>

#include "raven/core/error.h"

namespace raven {
namespace {

TEST(Aligned, ColumnsAreAsWideAsTheirWidestCellInCharacters) {
  EXPECT_EQ(aligned({{"name", "value"}, {"a", "1 \xC2\xB1 2"}, {"longer", ""}}),
            "name    value\na       1 \xC2\xB1 2\nlonger\n");
  EXPECT_EQ(aligned({}), "");
}

TEST(Aligned, AnEmptyLineStaysALine) { EXPECT_EQ(aligned({{"a"}, {""}, {"b"}}), "a\n\nb\n"); }

TEST(Aligned, RefusesLinesOfUnlikeLength) {
  EXPECT_THROW(aligned({{"a", "b"}, {"c"}}), InternalError);
}

}  // namespace
}  // namespace raven
