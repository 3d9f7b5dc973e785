#include "report/chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace raven::report {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Track track_of(const std::vector<std::pair<double, double>>& points) {
  Track track;
  for (const auto& [step, value] : points) track.add(step, value);
  return track;
}

TEST(Chart, DrawsWhatIsThereAndNothingElse) {
  const auto falling = track_of({{0, 1}, {100, 0}});
  const Track empty;
  const auto markup = chart({.title = "loss"}, {{.name = "a", .track = &falling, .colour = 0},
                                                {.name = "b", .track = &empty, .colour = 1},
                                                {.name = "c", .track = nullptr, .colour = 2}});
  // x from 46 to 350; y from 166 up to 8, with 4 % of margin.
  EXPECT_THAT(markup, HasSubstr("points=\"46.00,13.85 350.00,160.15 \""));
  EXPECT_THAT(markup, HasSubstr("<title>loss</title>"));
  EXPECT_THAT(markup, HasSubstr("a from 1 to 0"));
  EXPECT_THAT(markup, Not(HasSubstr("data-name=\"b\"")));
  EXPECT_THAT(chart({.title = "t"}, {{.name = "b", .track = &empty, .colour = 0}}), IsEmpty());
}

TEST(Chart, HasANumberForEveryEye) {
  const auto track = track_of({{10, 0.5}, {20, 0.25}, {30, 0.375}});
  const auto markup = chart({.title = "wer", .x_label = "epoch", .x_scale = 0.1, .percent = true},
                            {{.name = "run", .track = &track, .colour = 0}});
  EXPECT_THAT(markup, HasSubstr("<caption>wer</caption>"));
  EXPECT_THAT(markup, HasSubstr("25.0 % <small>at epoch 2</small>"));
  EXPECT_THAT(markup, HasSubstr("<b>37.5 %</b>"));
}

TEST(Chart, ASpikeDoesNotFlattenTheRest) {
  Track track;
  for (int i = 0; i < 400; ++i) track.add(i, i == 200 ? 1e9 : i % 10);
  const auto markup = chart({.title = "t"}, {{.name = "a", .track = &track, .colour = 0}});
  EXPECT_THAT(markup, HasSubstr(">5</text>"));  // a tick within the usual values
}

TEST(Chart, BeginsInFullHeightAfterTheWarmUp) {
  const auto gain = track_of({{10, -0.8}, {20, -0.4}, {30, 0.1}, {40, 0.11}, {50, 0.12}});
  const auto draw = [&](double warmup) {
    return chart({.title = "gain"}, {{.name = "v2a", .track = &gain, .settled_after = warmup}});
  };
  EXPECT_THAT(draw(20), AllOf(HasSubstr(">0.11</text>"), HasSubstr("\xE2\x86\x93 \xE2\x88\x92"
                                                                   "0.8 at step 10")));
  EXPECT_THAT(draw(-1), Not(HasSubstr("at step 10</text>")));
  EXPECT_THAT(draw(45), Not(HasSubstr("at step 10</text>")));  // one point is no curve
}

TEST(Chart, TellsFramesBelowItsSteps) {
  const auto track = track_of({{0, 1}, {100, 0}});
  const std::vector<ChartSeries> series = {{.name = "a", .track = &track}};
  const auto without = chart({.title = "t"}, series);
  EXPECT_THAT(without, Not(HasSubstr(">frames</text>")));
  const auto markup = chart({.title = "t", .frames_at_1 = 2345}, series);
  EXPECT_THAT(markup, AllOf(HasSubstr(">frames</text>"), HasSubstr(">50</text>"),
                            HasSubstr(">117k</text>")));
  // The picture is as wide and high as before, with a row more.
  EXPECT_THAT(markup, HasSubstr("points=\"46.00,13.85 350.00,160.15 \""));
  EXPECT_THAT(markup, HasSubstr("viewBox=\"0 0 360 203\""));
}

TEST(Chart, FewPointsAreAllInThePicture) {
  const auto far = track_of({{0, 100}, {1, 1}, {2, 1.1}, {3, 1.2}});
  EXPECT_THAT(chart({.title = "t"}, {{.name = "a", .track = &far, .colour = 0}}),
              HasSubstr(">100</text>"));
  const auto spike = track_of({{0, 1.3}, {1, 1}, {2, 100}, {3, 1.2}});  // no start
  EXPECT_THAT(chart({.title = "t", .cut_start = true}, {{.name = "a", .track = &spike}}),
              HasSubstr(">100</text>"));
}

TEST(Chart, AStartFarOffDoesNotFlattenTheRestWhereAsked) {
  const auto track = track_of({{0, 9}, {10, 1}, {20, 0.8}, {30, 0.5}});
  const ChartOptions options{.title = "wer", .percent = true, .cut_start = true};
  const auto markup = chart(options, {{.name = "a", .track = &track}});
  EXPECT_THAT(markup, HasSubstr(">60 %</text>"));  // a tick between the others
  EXPECT_THAT(markup, Not(HasSubstr(">200 %</text>")));
  EXPECT_THAT(markup, HasSubstr(">\xE2\x86\x91 900.0 % at step 0</text>"));  // and it is told
  EXPECT_THAT(markup, HasSubstr("<td class=\"n\">900.0 %</td>"));            // in the table, too
  // A second series is seen whole, and so is a curve that only begins steeply.
  const auto high = track_of({{0, 30}, {10, 31}});
  EXPECT_THAT(chart(options, {{.name = "a", .track = &track}, {.name = "b", .track = &high}}),
              HasSubstr(">3000 %</text>"));
  const auto steep = track_of({{0, 2.4}, {10, 1}, {20, 0.8}, {30, 0.5}});
  EXPECT_THAT(chart(options, {{.name = "a", .track = &steep}}), Not(HasSubstr("\xE2\x86\x91")));
}

TEST(Chart, FewValuesBesideManyStayInThePicture) {
  Track many;
  for (int i = 0; i < 500; ++i) many.add(i, 1 + i % 2);
  const auto few = track_of({{0, 50}, {100, 49}, {200, 51}});
  EXPECT_THAT(chart({.title = "t"}, {{.name = "a", .track = &many}, {.name = "b", .track = &few}}),
              HasSubstr(">40</text>"));
}

TEST(ChartFile, IsOneImageThatNeedsNoOtherFile) {
  const auto a = track_of({{0, 1}, {100, 0}});
  const Track empty;
  const ChartOptions options{.title = "<t>", .meaning = "&m", .x_label = "step"};
  const auto svg = chart_file({{.options = options, .series = {{.name = "one\"", .track = &a}}},
                               {.options = {.title = "none"}, .series = {{.track = &empty}}}});
  EXPECT_THAT(svg, testing::StartsWith("<svg xmlns=\"http://www.w3.org/2000/svg\""));
  EXPECT_THAT(svg, HasSubstr("points=\"46.00,13.85 350.00,160.15 \""));
  EXPECT_THAT(svg, HasSubstr(">&lt;t&gt;</text>"));
  EXPECT_THAT(svg, HasSubstr(">&amp;m</text>"));
  EXPECT_THAT(svg, HasSubstr(">one&quot; 0</text>"));
  EXPECT_THAT(svg, Not(HasSubstr("none</text>")));
  EXPECT_THAT(svg, Not(HasSubstr("var(")));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(AxisTicks, AreRoundNumbersWithinTheRange) {
  using testing::DoubleNear;
  using testing::ElementsAre;
  EXPECT_THAT(axis_ticks(0, 1, 5), ElementsAre(0, DoubleNear(0.2, 1e-12), DoubleNear(0.4, 1e-12),
                                               DoubleNear(0.6, 1e-12), DoubleNear(0.8, 1e-12), 1));
  EXPECT_THAT(axis_ticks(-93, 110, 4), ElementsAre(0, 100));
  EXPECT_THAT(axis_ticks(3e-5, 9e-5, 3).front(), DoubleNear(4e-5, 1e-12));
}

TEST(Chart, OddRangesHaveAnAxis) {
  for (const double value : {0.0, 1e-320, 1e99, -3.0}) {
    const auto track = track_of({{1, value}, {2, value}});
    const auto markup = chart({.title = "t"}, {{.name = "a", .track = &track, .colour = 0}});
    EXPECT_THAT(markup, Not(HasSubstr("nan"))) << value;
    EXPECT_THAT(markup, Not(HasSubstr("inf"))) << value;
    EXPECT_LT(markup.size(), 20'000U) << value;
  }
}

TEST(Chart, NamesAreEscaped) {
  const auto track = track_of({{1, 1}});
  const auto markup = chart({.title = "<t>", .meaning = "<m>", .x_label = "<x>"},
                            {{.name = "\"><script>", .track = &track, .colour = 0}});
  EXPECT_THAT(markup, Not(HasSubstr("<script")));
  EXPECT_THAT(markup, Not(HasSubstr("<t>")));
  EXPECT_THAT(markup, Not(HasSubstr("<m>")));
  EXPECT_THAT(markup, Not(HasSubstr("<x>")));
}

TEST(AxisText, IsShort) {
  EXPECT_EQ(axis_text(12000, false), "12k");
  EXPECT_EQ(axis_text(1.5e6, false), "1.5M");
  EXPECT_EQ(axis_text(0.30000000000000004, false), "0.3");
  EXPECT_EQ(axis_text(0.25, true), "25 %");
}

}  // namespace
}  // namespace raven::report
