// What a run is, whether it learnt, and what looks wrong: the first lines of a report.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "raven/report/metric_names.h"
#include "report/run_record.h"

namespace raven::report {

enum class Mood { kGood, kUnclear, kBad };

struct Finding {
  Mood mood = Mood::kUnclear;
  std::string text;    // plain text
  std::string anchor;  // of the section that shows it: "curves"; may be empty
};

struct BestRate {
  std::string set;
  double wer = 0;
  std::optional<std::pair<double, double>> confidence;
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

/// What stands out in a set's results: "deletions are 80 % of the errors: ...". Empty: nothing.
std::vector<Finding> result_findings(const EvaluationRecord& evaluation);

/// Why an utterance went wrong, as far as its own numbers and those of its set can tell; the first
/// is what happened, the others what may explain it.
std::vector<std::string> reasons(const WorstUtterance& worst, const EvaluationRecord& evaluation);

}  // namespace raven::report
