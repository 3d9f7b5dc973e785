#include "raven/evaluation/results_table.h"

#include <spdlog/fmt/fmt.h>

#include <cmath>

#include "raven/core/aligned.h"

namespace raven::evaluation {
namespace {

std::string percent(double fraction) {
  return std::isnan(fraction) ? "-" : fmt::format("{:.2f}", 100 * fraction);
}

}  // namespace

std::string results_table(const std::vector<std::string>& headings,
                          const std::vector<NamedTotals>& results) {
  if (results.size() < 2) return {};
  std::vector<std::vector<std::string>> lines = {headings};
  for (const char* heading : {"utterances", "words", "WER %", "CER %"})
    lines.front().emplace_back(heading);
  for (const auto& [names, totals] : results) {
    auto line = names;
    line.push_back(fmt::format("{}", totals.utterances));
    line.push_back(fmt::format("{}", totals.words.reference_tokens()));
    line.push_back(percent(totals.wer()));
    line.push_back(percent(totals.cer()));
    lines.push_back(std::move(line));
  }
  return aligned(lines);
}

}  // namespace raven::evaluation
