// Line charts as SVG: figures of the page, whose colours come from its style and so follow its
// scheme, and a file of charts that needs no style but its own.
#pragma once

#include <string>
#include <vector>

#include "report/track.h"

namespace raven::report {

inline constexpr std::size_t kNumColours = 8;  // of the style, --c0 to --c7

struct ChartSeries {
  std::string name;  // plain text
  const Track* track = nullptr;
  std::size_t colour = 0;  // beyond kNumColours: the same again, dashed
  /// Values up to this step (of a warm-up) do not decide how high the picture is, where two or more
  /// come later.
  double settled_after = -1;
  double x_scale = 1;  // where it stands on the axis = step times this
  bool band = false;   // from the lowest to the highest of each step, behind the line
};

struct ChartOptions {
  std::string title;    // plain text
  std::string meaning;  // plain text, one sentence; may be empty
  std::string x_label = "step";
  double x_scale = 1;  // what is written along the axis = place on it times this
  /// Frames that training has seen at place 1 of the axis, written below it; 0: not known.
  double frames_at_1 = 0;
  bool percent = false;  // values are fractions
  /// A first value far from all that follow (900 % before the first step) does not press them flat:
  /// it leaves the picture, which then says how far.
  bool cut_start = false;
};

struct Chart {
  ChartOptions options;
  std::vector<ChartSeries> series;
};

/// A <figure>: the picture with title and description for screen readers, a legend that names each
/// series with its last value, and the numbers behind as a table. Empty when no series has points.
std::string chart(const ChartOptions& options, const std::vector<ChartSeries>& series);

/// One SVG image with all charts that have points, in two columns.
std::string chart_file(const std::vector<Chart>& charts);

/// "12k", "1.5M", "0.25", "40 %": short, for axes.
std::string axis_text(double value, bool percent);

/// Round values that divide [low, high] into about `count` parts: {0, 0.2, 0.4, ...}.
std::vector<double> axis_ticks(double low, double high, int count);

}  // namespace raven::report
