#include "raven/sweep/table.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "raven/core/error.h"
#include "raven/core/utf8.h"
#include "raven/report/final_numbers.h"

namespace raven::sweep {
namespace {

using Json = nlohmann::ordered_json;

bool is_share(const std::string& name) {
  const auto known = report::find_metric(name);
  return known && known->metric->unit == report::Unit::kShare;
}

std::string heading(const std::string& name) { return is_share(name) ? name + " %" : name; }

/// "0.212 ± 0.010"
std::string cell(const TableRow& row, const std::string& name) {
  const auto found = row.numbers.find(name);
  if (found == row.numbers.end()) return "-";
  const auto& [mean, deviation, n] = found->second;
  const bool share = is_share(name);
  const auto text = [&](double value) {
    return share ? fmt::format("{:.1f}", 100 * value) : fmt::format("{:.3f}", value);
  };
  return deviation ? text(mean) + " \xC2\xB1 " + text(*deviation) : text(mean);
}

std::size_t num_characters(std::string_view text) {
  std::size_t count = 0;
  for (; !text.empty(); ++count) take_character(text);
  return count;
}

std::string padded(const std::string& text, std::size_t width, bool left) {
  const std::string blanks(width - num_characters(text), ' ');
  return left ? text + blanks : blanks + text;
}

/// Columns as wide as their widest cell, the first to the left.
std::string aligned(const std::vector<std::vector<std::string>>& lines) {
  std::vector<std::size_t> widths(lines.front().size());
  for (const auto& line : lines) {
    for (std::size_t c = 0; c < line.size(); ++c)
      widths[c] = std::max(widths[c], num_characters(line[c]));
  }
  std::string text;
  for (const auto& line : lines) {
    for (std::size_t c = 0; c < line.size(); ++c)
      text += (c == 0 ? "" : "  ") + padded(line[c], widths[c], c == 0);
    text.erase(text.find_last_not_of(' ') + 1);
    text += '\n';
  }
  return text;
}

Json json_of(const Spread& spread) {
  return {{"mean", spread.mean},
          {"deviation", spread.deviation ? Json(*spread.deviation) : Json()},
          {"n", spread.n}};
}

}  // namespace

Spread spread_of(const std::vector<double>& values) {
  RAVEN_CHECK(!values.empty(), "the spread of no values");
  Spread spread;
  spread.n = std::ssize(values);
  for (const double value : values) spread.mean += value / static_cast<double>(spread.n);
  if (spread.n < 2) return spread;
  double squares = 0;
  for (const double value : values) squares += (value - spread.mean) * (value - spread.mean);
  spread.deviation = std::sqrt(squares / static_cast<double>(spread.n - 1));
  return spread;
}

Table make_table(const std::string& name, const std::vector<Run>& runs,
                 const std::vector<Outcome>& outcomes) {
  Table table{.name = name, .columns = {}, .main_columns = {}, .rows = {}, .runs = {}};
  std::set<std::string> names;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    TableRun run{runs[i].name, runs[i].variant, runs[i].seed, outcomes[i], {}};
    if (run.outcome.state == State::kDone) {
      run.numbers = report::final_numbers(runs[i].folder).values;
      for (const auto& [number, value] : run.numbers) names.insert(number);
    }
    table.runs.push_back(std::move(run));
  }
  table.columns = report::learning_numbers(names);
  table.main_columns = report::main_numbers(names);
  for (const auto& run : table.runs) {
    const auto is_same = [&](const TableRow& row) { return row.variant == run.variant; };
    if (std::ranges::any_of(table.rows, is_same)) continue;
    TableRow row{.variant = run.variant, .numbers = {}};
    std::map<std::string, std::vector<double>> values;
    for (const auto& one : table.runs) {
      if (one.variant != row.variant) continue;
      ++row.num_runs;
      row.num_done += one.outcome.state == State::kDone ? 1 : 0;
      for (const auto& column : table.columns) {
        const auto found = one.numbers.find(column);
        if (found != one.numbers.end()) values[column].push_back(found->second);
      }
    }
    for (const auto& [column, all] : values) row.numbers[column] = spread_of(all);
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string to_text(const Table& table) {
  std::vector<std::string> header = {"variant", "runs"};
  for (const auto& column : table.main_columns) header.push_back(heading(column));
  std::vector<std::vector<std::string>> lines = {header};
  for (const auto& row : table.rows) {
    std::vector<std::string> line = {row.variant,
                                     row.num_done == row.num_runs
                                         ? fmt::format("{}", row.num_runs)
                                         : fmt::format("{} of {}", row.num_done, row.num_runs)};
    for (const auto& column : table.main_columns) line.push_back(cell(row, column));
    lines.push_back(std::move(line));
  }
  return aligned(lines);
}

std::string to_tsv(const Table& table) {
  std::string text = "variant\tnumber\tmean\tdeviation\tn\n";
  for (const auto& row : table.rows) {
    for (const auto& column : table.columns) {
      const auto found = row.numbers.find(column);
      if (found == row.numbers.end()) continue;
      const auto& [mean, deviation, n] = found->second;
      text += fmt::format("{}\t{}\t{}\t{}\t{}\n", row.variant, column, mean,
                          deviation ? fmt::format("{}", *deviation) : "", n);
    }
  }
  return text;
}

std::string to_json(const Table& table) {
  Json rows = Json::array(), runs = Json::array();
  for (const auto& row : table.rows) {
    Json numbers = Json::object();
    for (const auto& column : table.columns) {
      if (const auto found = row.numbers.find(column); found != row.numbers.end())
        numbers[column] = json_of(found->second);
    }
    rows.push_back({{"variant", row.variant},
                    {"runs", row.num_runs},
                    {"done", row.num_done},
                    {"numbers", numbers}});
  }
  for (const auto& run : table.runs) {
    Json one = {{"name", run.name},
                {"variant", run.variant},
                {"seed", run.seed ? Json(*run.seed) : Json()},
                {"state", state_name(run.outcome.state)}};
    if (!run.outcome.reason.empty()) one["reason"] = as_utf8(run.outcome.reason);
    one["numbers"] = run.numbers;
    runs.push_back(std::move(one));
  }
  return Json{{"sweep", as_utf8(table.name)}, {"variants", rows}, {"runs", runs}}.dump(2) + "\n";
}

}  // namespace raven::sweep
