// What a run is, whether it learnt, and what looks wrong: the first lines of a report.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "raven/report/metric_names.h"
#include "report/result_findings.h"
#include "report/run_record.h"

namespace raven::report {

struct BestRate {
  std::string set;
  double wer = 0;
  std::optional<std::pair<double, double>> confidence;
  std::string warning = {};  // of `raven evaluate`
};

struct Assessment {
  Stage stage = Stage::kUnknown;
  std::string what;      // "RAVEn pre-training: 12 blocks of width 512, 75,123,456 parameters, ..."
  std::string progress;  // "12,000 of 12,000 steps"
  Mood mood = Mood::kUnclear;
  std::string verdict;  // did it learn, in one sentence
  /// Over evaluate/ (clean sets first), else over evaluations while training.
  std::optional<BestRate> best;
  std::vector<Finding> suspicious;  // worst first
};

Assessment assess(const RunRecord& run);

}  // namespace raven::report
