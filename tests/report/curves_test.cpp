#include "raven/report/curves.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "raven/core/files.h"
#include "raven/report/metric_names.h"
#include "support/drawn_curves.h"
#include "support/temporary_folder.h"

namespace raven::report {
namespace {

using testing::ContainerEq;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;

class Curves : public testing::Test {
 protected:
  [[nodiscard]] std::string drawn(const std::string& metrics) const {
    std::ofstream(file()) << metrics;
    write_curves(file(), folder_.path() / "curves.svg");
    return read_file(folder_.path() / "curves.svg");
  }
  [[nodiscard]] std::filesystem::path file() const { return folder_.path() / "metrics.jsonl"; }

  TemporaryFolder folder_;
};

TEST_F(Curves, AreDrawnOfWhatIsThereAndNoMore) {
  const auto svg = drawn(
      "{\"step\": 10, \"v2a\": -0.5, \"gain_v2a\": null}\n"
      "{\"step\": 20, \"v2a\": -0.7}\n"
      "not json\n{\"v2a\": 1}\n");
  // x from 46 to 350; y from 166 up to 8, with 4 % of margin.
  EXPECT_THAT(svg, HasSubstr("data-name=\"v2a\" points=\"46.00,13.85 350.00,160.15 \""));
  EXPECT_THAT(svg, HasSubstr(">parts of the loss</text>"));
  EXPECT_THAT(svg, HasSubstr(">v2a \xE2\x88\x92"
                             "0.7</text>"));  // the legend
  EXPECT_THAT(svg, Not(HasSubstr(">gain</text>")));
}

TEST_F(Curves, HoldEveryNumberOfTheTable) {
  std::string line = R"({"step": 1)";
  std::multiset<Curve> curves;
  for (const auto& metric : kMetrics) {
    std::string name(metric.name);
    if (const auto open = name.find('<'); open != name.npos) {
      const auto placeholder = name.substr(open);
      name.replace(open, name.npos,
                   placeholder == "<loss>"       ? "a2v"
                   : placeholder == "<modality>" ? "audio"
                                                 : "7");
    }
    line += ", \"" + name + "\": 2.5";
    if (metric.panel != PanelId::kNone) curves.insert(curve_of(*find_metric(name)));
  }
  const auto svg = drawn(line + "}\n");
  EXPECT_THAT(drawn_curves(svg), ContainerEq(curves));
  for (const auto& panel : panels()) {
    if (panel.id == PanelId::kOther) continue;
    EXPECT_THAT(svg, HasSubstr(std::string(">") + panel.title + "</text>"));
  }
}

TEST_F(Curves, CountsOfSkippedUtterancesThatStayZeroAreNotDrawn) {
  EXPECT_THAT(drawn_curves(drawn("{\"step\": 1, \"skipped\": 0, \"valid_skipped\": 0, \"lr\": 0}\n"
                                 "{\"step\": 2, \"skipped\": 0, \"valid_skipped\": 1}\n")),
              ElementsAre(curve_of(*find_metric("lr")), curve_of(*find_metric("valid_skipped"))));
}

TEST_F(Curves, MetricsMayLieElsewhere) {  // `raven train` draws them wherever it writes them
  const TemporaryFolder scratch;
  std::filesystem::create_symlink(scratch.path() / "metrics.jsonl", file());
  EXPECT_THAT(drawn_curves(drawn("{\"step\": 1, \"v2a\": -0.5}\n")), SizeIs(1));
}

TEST_F(Curves, TextIsEscaped) {
  const auto svg = drawn("{\"step\": 1, \"skipped_</svg><script>&\\\"\": 1}\n");
  EXPECT_THAT(svg, HasSubstr("&lt;script&gt;&amp;"));
  EXPECT_THAT(svg, Not(HasSubstr("<script>")));
}

TEST_F(Curves, AreWrittenBesideTheMetrics) {
  write_curves(file(), folder_.path() / "curves.svg");
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "curves.svg"));
  EXPECT_THAT(drawn("{\"step\": 1, \"v2a\": -0.5}\n"), HasSubstr("</svg>"));
  EXPECT_THAT(drawn(""), HasSubstr("</svg>"));  // of nothing, but an image
}

}  // namespace
}  // namespace raven::report
