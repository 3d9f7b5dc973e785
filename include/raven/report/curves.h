// Curves of a run as one SVG image: losses, gains, collapse measures, the probe.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace raven::report {

/// One curve: (step, value), steps ascending.
struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;
};

/// A diagram with axes, a legend and its curves.
struct Panel {
  std::string title;
  std::vector<Series> series;
};

/// Reads the numbers of metrics.jsonl that are worth a look; panels without points are left out.
/// Lines that are no JSON objects are ignored.
std::vector<Panel> read_panels(const std::filesystem::path& metrics);

/// Panels in two columns. Text is escaped.
std::string draw_svg(const std::vector<Panel>& panels);

/// read_panels and draw_svg into `svg`, written atomically. Does nothing without metrics. Throws
/// SystemError.
void write_curves(const std::filesystem::path& metrics, const std::filesystem::path& svg);

/// Round values that divide [low, high] into about `count` parts: {0, 0.2, 0.4, ...}.
std::vector<double> axis_ticks(double low, double high, int count);

}  // namespace raven::report
