// What stands out in the results of an evaluated set, and why an utterance went wrong.
#pragma once

#include <string>
#include <vector>

#include "report/evaluation_record.h"

namespace raven::report {

enum class Mood { kGood, kUnclear, kBad };

struct Finding {
  Mood mood = Mood::kUnclear;
  std::string text;    // plain text
  std::string anchor;  // of the section that shows it: "curves"; may be empty
};

/// What stands out in a set's results: "deletions are 80 % of the errors: ...". Empty: nothing.
std::vector<Finding> result_findings(const EvaluationRecord& evaluation);

/// Why an utterance went wrong, as far as its own numbers and those of its set can tell; the first
/// is what happened, the others what may explain it.
std::vector<std::string> reasons(const WorstUtterance& worst, const EvaluationRecord& evaluation);

}  // namespace raven::report
