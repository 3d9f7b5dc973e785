// Which charts the numbers of a run, or of several, make.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "raven/report/metric_names.h"
#include "report/chart.h"
#include "report/run_record.h"

namespace raven::report {

struct ChartedRun {
  std::string label;
  const Metrics* metrics = nullptr;
  Stage stage = Stage::kUnknown;
  double warmup_steps = -1;    // curves show what comes after them in full height; -1: not known
  double frames_per_step = 0;  // of training, without padding; 0: not known
  std::size_t colour = 0;
  std::string group = {};  // its name; runs of one group share a line. Empty: the run is alone
};

struct MetricChart {
  const Panel* panel = nullptr;
  Chart chart;
  std::vector<std::shared_ptr<const Track>> means = {};  // of groups, which `chart` draws
};

/// Along steps, or epochs where all runs have as many steps in one, with frames below; along frames
/// where these differ from run to run. In the order of panels(). One run: the numbers of a panel
/// share a chart. Several: each number has its own, and a run's colour is the same in all of them;
/// a group of runs is their mean, with a band from the lowest to the highest.
/// Numbers without points are left out, and counts of skipped utterances that stay 0. The runs'
/// metrics must outlive the charts.
std::vector<MetricChart> metric_charts(const std::vector<ChartedRun>& runs);

}  // namespace raven::report
