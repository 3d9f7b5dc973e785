#include "raven/core/tried_path.h"

#include <gtest/gtest.h>

namespace raven {
namespace {

TEST(TriedPath, OfARelativePathTellsWhereItIs) {
  const auto here = std::filesystem::current_path();
  EXPECT_EQ(tried_path("data/../a.tsv"), "data/../a.tsv (looked for " + (here / "a.tsv").string() +
                                             ": such paths follow the working folder)");
  EXPECT_EQ(tried_path("/data/a.tsv"), "/data/a.tsv");
  EXPECT_EQ(tried_path(""), "");
}

}  // namespace
}  // namespace raven
