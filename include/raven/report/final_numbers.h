// What a run has reported last, for those that compare runs by numbers.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "raven/report/metric_names.h"

namespace raven::report {

struct FinalNumbers {
  std::map<std::string, double> values;  // the last of each, by its name
  double step = 0;                       // of the last line
};

/// From `metrics.jsonl` in a run's folder; empty when there is none. Throws SystemError when it
/// cannot be read, DataError when it leads out of the folder.
FinalNumbers final_numbers(const std::filesystem::path& run);

/// Those of `names` that tell what was learnt, in the order of the curves' panels: all but rates,
/// norms, speed and memory.
std::vector<std::string> learning_numbers(const std::set<std::string>& names);

/// Those of learning_numbers() by which runs are judged first: word error rates, or gains and
/// probes, and the loss, on held-out clips; `loss` where nothing is held out.
std::vector<std::string> main_numbers(const std::set<std::string>& names);

}  // namespace raven::report
