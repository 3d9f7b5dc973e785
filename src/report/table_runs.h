// Runs as a table takes them, for those who have read them already.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "raven/report/run_table.h"
#include "report/run_record.h"

namespace raven::report {

struct TableRun {
  std::string label;
  const RunRecord* record = nullptr;
  std::string unfinished;  // "at step 40 of 100"; empty: it has reached its last step
  std::map<std::string, double> numbers;

  /// Of a setting; empty when the run has none.
  [[nodiscard]] std::string value(const std::string& key) const { return record->value(key); }
};

/// `label` as in unique_labels(); `record` must outlive it.
TableRun table_run(std::string label, const RunRecord& record);

/// `base`: position among `runs`.
RunTable run_table(const std::vector<TableRun>& runs, const RunTableOptions& options,
                   std::optional<std::size_t> base = std::nullopt);

/// What readers of `table` should know: runs that lack numbers and why, what may not be compared
/// between rows (by the settings that differ and by what was measured on), rows of one run.
/// `entries`: the numbers of `runs` that count.
std::vector<std::string> remarks_on(const RunTable& table, const std::vector<TableRun>& runs,
                                    const std::vector<RowEntry>& entries,
                                    const RunTableOptions& options);

/// The set of "WER <set>" or "CER <set>"; empty for another number.
std::string evaluated_set(const std::string& number);
const EvaluationRecord* evaluation_of(const RunRecord& run, const std::string& set);

}  // namespace raven::report
