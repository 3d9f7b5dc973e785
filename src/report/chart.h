// Line charts as SVG inside the page: colours come from the page's style, so they follow its
// scheme.
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
};

struct ChartOptions {
  std::string title;    // plain text
  std::string meaning;  // plain text, one sentence; may be empty
  std::string x_label = "step";
  double x_scale = 1;    // what is written along the axis = step times this
  bool percent = false;  // values are fractions
};

/// A <figure>: the picture with title and description for screen readers, a legend that names each
/// series with its last value, and the numbers behind as a table. Empty when no series has points.
std::string chart(const ChartOptions& options, const std::vector<ChartSeries>& series);

/// "12k", "1.5M", "0.25", "40 %": short, for axes.
std::string axis_text(double value, bool percent);

}  // namespace raven::report
