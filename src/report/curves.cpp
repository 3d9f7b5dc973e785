#include "raven/report/curves.h"

#include "raven/core/files.h"
#include "report/metric_charts.h"

namespace raven::report {

void write_curves(const std::filesystem::path& metrics, const std::filesystem::path& svg) {
  if (!std::filesystem::exists(metrics)) return;
  const auto numbers = read_metrics(metrics);
  std::vector<Chart> charts;
  for (auto& drawn : metric_charts({{.label = "", .metrics = &numbers}})) {
    charts.push_back(std::move(drawn.chart));
  }
  write_file_atomically(svg, chart_file(charts));
}

}  // namespace raven::report
