// What the runs of a sweep have reached, by variant over seeds.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "raven/report/run_table.h"
#include "raven/sweep/runner.h"
#include "raven/sweep/runs.h"

namespace raven::sweep {

struct TableRun {
  std::string name, variant;
  std::optional<std::int64_t> seed;
  Outcome outcome;
  std::map<std::string, double> numbers;  // final ones, of finished runs
};

struct Table {
  std::string name;
  std::vector<std::string> columns;       // every number, in the order of the curves
  std::vector<std::string> main_columns;  // those by which runs are judged first
  std::vector<report::RunRow> rows;       // a variant each, in the order of the sweep
  std::vector<TableRun> runs;
};

/// Reads the final numbers of the runs that are done.
Table make_table(const std::string& name, const std::vector<Run>& runs,
                 const std::vector<Outcome>& outcomes);

/// For a terminal: a line for each variant with "mean ± deviation" of the main columns, shares in
/// percent.
std::string to_text(const Table& table);
/// variant, number, mean, deviation, n: a line for each number of each variant.
std::string to_tsv(const Table& table);
/// The same and each run with its state, seed and numbers.
std::string to_json(const Table& table);

}  // namespace raven::sweep
