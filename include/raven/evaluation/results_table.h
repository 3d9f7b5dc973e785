// Several results below one another.
#pragma once

#include <string>
#include <vector>

#include "raven/text/error_rate.h"

namespace raven::evaluation {

struct NamedTotals {
  std::vector<std::string> names;  // one for each heading
  text::ErrorTotals totals;
};

/// For a terminal: `headings`, then utterances, words, WER and CER in percent. Empty for fewer than
/// two results.
std::string results_table(const std::vector<std::string>& headings,
                          const std::vector<NamedTotals>& results);

}  // namespace raven::evaluation
