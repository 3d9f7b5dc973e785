#include "raven/core/summed_warnings.h"

#include <gmock/gmock.h>

#include "support/logged.h"

namespace raven {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(SummedWarnings, OfAKindFiveAreToldAndTheOthersAreASum) {
  const auto text = logged([] {
    SummedWarnings warnings("; see the list");
    for (int i = 1; i <= 60; ++i) warnings.warn("missing", "no " + std::to_string(i) + ".mp4");
    warnings.warn("corrupt", "damaged.mp4");
    warnings.finish();
    warnings.warn("missing", "no last.mp4");  // counted with the others
  });
  EXPECT_THAT(text, HasSubstr("no 5.mp4\n"));
  EXPECT_THAT(text, Not(HasSubstr("no 6.mp4")));
  EXPECT_THAT(text, HasSubstr("damaged.mp4\n"));
  EXPECT_THAT(text, HasSubstr("55 more of this kind (missing); see the list\n"));
  EXPECT_THAT(text, HasSubstr("1 more of this kind (missing); see the list\n"));
  EXPECT_THAT(text, Not(HasSubstr("(corrupt)")));
}

}  // namespace
}  // namespace raven
