// Many runs as one table: a row for each set of settings, over its seeds.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "raven/report/spread.h"

namespace raven::report {

/// A row's number against the base's.
struct Difference {
  SeedPairs seeds;                     // of the runs that agree in their seed
  std::optional<double> p_seeds;       // paired t-test over them
  std::optional<double> p_utterances;  // of word error rates: matched pairs, the errors of an
                                       // utterance summed over the seeds
};

struct RunRow {
  std::string name;
  std::vector<std::string> values;  // of RunTable::settings
  std::vector<std::size_t> runs;    // positions among those that were given
  std::int64_t num_done = 0;        // of them, whose numbers count
  std::map<std::string, Spread> numbers;
  std::map<std::string, Difference> against_base;
};

struct RunTable {
  std::string row_title = "run";
  std::vector<std::string> settings;  // keys that differ between rows
  std::vector<std::string> numbers;   // columns, "WER <set>" and "CER <set>" of evaluations first
  std::vector<RunRow> rows;
  std::optional<std::size_t> base;   // the row that the others are compared with
  std::vector<std::string> remarks;  // runs that lack numbers; what may not be compared
};

/// A run as rows_of() takes it.
struct RowEntry {
  std::string row;
  bool done = true;
  std::map<std::string, double> numbers;
};

/// A row for each name in the order in which they come, over the numbers of the runs that are done.
std::vector<RunRow> rows_of(const std::vector<RowEntry>& runs);

struct RunTableOptions {
  /// Keys in which runs of one row may differ. Runs are paired with the base's by the first.
  std::vector<std::string> by = {"run.seed"};
  /// One of the runs: its row is the base. Throws ConfigError when it is none of them.
  std::optional<std::filesystem::path> base = {};
  /// Runs that have not reached their last step count with what they have.
  bool so_far = false;
};

/// Reads the runs in `folders`. Machine settings (config/machine_keys) make no rows. Throws
/// ConfigError when one is no run's folder.
RunTable run_table(const std::vector<std::filesystem::path>& folders,
                   const RunTableOptions& options = {});

/// `folders`, and in the place of those that are no runs but hold some (a sweep's dir), their runs
/// by name.
std::vector<std::filesystem::path> runs_in(const std::vector<std::filesystem::path>& folders);

/// "WER test %": of a share, in percent.
std::string heading_of(const std::string& number);
/// "0.212 ± 0.010", with the number of runs where it is not the row's; "-" where there is none.
std::string cell_of(const RunRow& row, const std::string& number);

/// "3", or "2 of 3" where not all count.
std::string runs_of_row(const RunRow& row);

/// For a terminal, with the remarks below. Settings that change together share a column.
std::string to_text(const RunTable& table);
/// Every setting, and of each number mean, deviation, n and p in columns of their own; shares as
/// fractions. Without remarks.
std::string to_csv(const RunTable& table);
std::string to_markdown(const RunTable& table);
/// A tabular of the package booktabs; remarks are comments.
std::string to_latex(const RunTable& table);

}  // namespace raven::report
