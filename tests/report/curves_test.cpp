#include "raven/report/curves.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "raven/core/files.h"
#include "support/temporary_folder.h"

namespace raven::report {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(AxisTicks, AreRoundNumbersWithinTheRange) {
  EXPECT_THAT(axis_ticks(0, 1, 5), ElementsAre(0, DoubleNear(0.2, 1e-12), DoubleNear(0.4, 1e-12),
                                               DoubleNear(0.6, 1e-12), DoubleNear(0.8, 1e-12), 1));
  EXPECT_THAT(axis_ticks(-93, 110, 4), ElementsAre(0, 100));
  EXPECT_THAT(axis_ticks(3e-5, 9e-5, 3).front(), DoubleNear(4e-5, 1e-12));
}

TEST(Curves, ReadWhatIsThereAndNoMore) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "metrics.jsonl")
      << "{\"step\": 10, \"v2a\": -0.5, \"gain_v2a\": null}\n"
      << "{\"step\": 20, \"v2a\": -0.7}\n"
      << "not json\n{\"v2a\": 1}\n";
  const auto panels = read_panels(folder.path() / "metrics.jsonl");
  ASSERT_EQ(panels.size(), 1U);
  ASSERT_EQ(panels[0].series.size(), 1U);
  EXPECT_EQ(panels[0].series[0].name, "v2a");
  EXPECT_THAT(panels[0].series[0].points,
              ElementsAre(std::pair(10.0, -0.5), std::pair(20.0, -0.7)));
}

TEST(Curves, ALowerValueIsDrawnLower) {
  const Panel panel{.title = "t", .series = {{.name = "s", .points = {{0, 1.0}, {10, 0.0}}}}};
  // The panel is 260 high with 48 above and 34 below the curve; x runs from 62 to 446.
  EXPECT_THAT(draw_svg({panel}), HasSubstr("points=\"62.0,48.0 446.0,226.0 \""));
}

TEST(Curves, OnePointAndConstantValuesHaveAnAxis) {
  const Panel panel{.title = "t", .series = {{.name = "s", .points = {{5, 0.25}}}}};
  EXPECT_THAT(draw_svg({panel}), Not(HasSubstr("nan")));
}

TEST(Curves, TextIsEscaped) {
  const Panel panel{.title = "<script>&", .series = {{.name = "\"x\"", .points = {{0, 1}}}}};
  const auto svg = draw_svg({panel});
  EXPECT_THAT(svg, HasSubstr("&lt;script&gt;&amp;"));
  EXPECT_THAT(svg, Not(HasSubstr("<script>")));
}

TEST(Curves, AreWrittenBesideTheMetrics) {
  const TemporaryFolder folder;
  write_curves(folder.path() / "metrics.jsonl", folder.path() / "curves.svg");
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "curves.svg"));
  std::ofstream(folder.path() / "metrics.jsonl") << "{\"step\": 1, \"v2a\": -0.5}\n";
  write_curves(folder.path() / "metrics.jsonl", folder.path() / "curves.svg");
  EXPECT_THAT(read_file(folder.path() / "curves.svg"), HasSubstr("</svg>"));
}

}  // namespace
}  // namespace raven::report
