#include "raven/train/collapse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace raven::train {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

auto says(const std::string& text) { return Field(&CollapseWarning::message, HasSubstr(text)); }

const Numbers kStart{{"target_spread_video", 0.7}, {"target_spread_audio", 0.6}};

TEST(CollapseWarnings, NameTheModalityThatCollapses) {
  const Numbers now{{"target_spread_video", 0.3},
                    {"gain_a2v", 0.01},
                    {"target_spread_audio", 0.6},
                    {"gain_v2a", 0.0}};
  EXPECT_THAT(collapse_warnings(kStart, now, /*warmed_up=*/true),
              ElementsAre(says("the video targets")));
}

TEST(CollapseWarnings, LittleSpreadIsFineWhilePredictionsGain) {
  const Numbers now{{"target_spread_video", 0.3}, {"gain_a2v", 0.15}, {"gain_v2v", 0.0}};
  EXPECT_THAT(collapse_warnings(kStart, now, /*warmed_up=*/true), IsEmpty());
}

TEST(CollapseWarnings, LittleGainIsFineWhileTargetsAreSpread) {
  const Numbers now{{"target_spread_video", 0.36}, {"gain_a2v", 0.0}};
  EXPECT_THAT(collapse_warnings(kStart, now, /*warmed_up=*/true), IsEmpty());
}

TEST(CollapseWarnings, NameConstantPredictionsOfSpreadTargetsAfterTheWarmUp) {
  const Numbers now{{"target_spread_audio", 0.6},
                    {"gain_v2a", 0.001},
                    {"prediction_spread_v2a", 0.02},
                    {"gain_a2a", 0.3},
                    {"prediction_spread_a2a", 0.02}};
  EXPECT_THAT(collapse_warnings(kStart, now, /*warmed_up=*/true),
              ElementsAre(says("the v2a predictions")));
  EXPECT_THAT(collapse_warnings(kStart, now, /*warmed_up=*/false), IsEmpty());
}

TEST(CollapseWarnings, SpreadPredictionsWithoutGainAreNotConstant) {
  const Numbers now{{"gain_v2a", 0.0}, {"prediction_spread_v2a", 0.3}};
  EXPECT_THAT(collapse_warnings(kStart, now, /*warmed_up=*/true), IsEmpty());
}

TEST(CollapseWarnings, KindStaysWhenNumbersChange) {
  const Numbers now{{"gain_v2a", 0.001}, {"prediction_spread_v2a", 0.02}};
  const Numbers later{{"gain_v2a", 0.002}, {"prediction_spread_v2a", 0.03}};
  const auto first = collapse_warnings({}, now, /*warmed_up=*/true);
  const auto second = collapse_warnings({}, later, /*warmed_up=*/true);
  ASSERT_EQ(first.size(), 1U);
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(first[0].kind, second[0].kind);
  EXPECT_NE(first[0].message, second[0].message);
}

TEST(CollapseWarnings, AbsentMeasuresSayNothing) {
  EXPECT_THAT(collapse_warnings({}, {{"target_spread_video", 0.1}, {"gain_a2v", 0.0}}, true),
              IsEmpty());
  EXPECT_THAT(collapse_warnings(kStart, {}, true), IsEmpty());
}

}  // namespace
}  // namespace raven::train
