#include "raven/train/collapse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace raven::train {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Numbers kStart{{"target_spread_video", 0.7}, {"target_spread_audio", 0.6}};

TEST(CollapseWarnings, NameTheModalityThatCollapses) {
  const Numbers now{{"target_spread_video", 0.3},
                    {"gain_a2v", 0.01},
                    {"target_spread_audio", 0.6},
                    {"gain_v2a", 0.0}};
  EXPECT_THAT(collapse_warnings(kStart, now), ElementsAre(HasSubstr("the video targets")));
}

TEST(CollapseWarnings, LittleSpreadIsFineWhilePredictionsGain) {
  const Numbers now{{"target_spread_video", 0.3}, {"gain_a2v", 0.15}, {"gain_v2v", 0.0}};
  EXPECT_THAT(collapse_warnings(kStart, now), IsEmpty());
}

TEST(CollapseWarnings, LittleGainIsFineWhileTargetsAreSpread) {
  const Numbers now{{"target_spread_video", 0.36}, {"gain_a2v", 0.0}};
  EXPECT_THAT(collapse_warnings(kStart, now), IsEmpty());
}

TEST(CollapseWarnings, AbsentMeasuresSayNothing) {
  EXPECT_THAT(collapse_warnings({}, {{"target_spread_video", 0.1}, {"gain_a2v", 0.0}}), IsEmpty());
  EXPECT_THAT(collapse_warnings(kStart, {}), IsEmpty());
}

}  // namespace
}  // namespace raven::train
