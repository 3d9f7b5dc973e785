#include "raven/sweep/table.h"

#include <spdlog/fmt/fmt.h>

#include <nlohmann/json.hpp>
#include <set>

#include "raven/core/utf8.h"
#include "raven/report/final_numbers.h"

namespace raven::sweep {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const report::Spread& spread) {
  return {{"mean", spread.mean},
          {"deviation", spread.deviation ? Json(*spread.deviation) : Json()},
          {"n", spread.n}};
}

}  // namespace

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
  std::vector<report::RowEntry> entries;
  for (const auto& run : table.runs)
    entries.push_back({run.variant, run.outcome.state == State::kDone, run.numbers});
  table.rows = report::rows_of(entries);
  return table;
}

std::string to_text(const Table& table) {
  return report::to_text(
      {.row_title = "variant", .numbers = table.main_columns, .rows = table.rows});
}

std::string to_tsv(const Table& table) {
  std::string text = "variant\tnumber\tmean\tdeviation\tn\n";
  for (const auto& row : table.rows) {
    for (const auto& column : table.columns) {
      const auto found = row.numbers.find(column);
      if (found == row.numbers.end()) continue;
      const auto& [mean, deviation, n] = found->second;
      text += fmt::format("{}\t{}\t{}\t{}\t{}\n", row.name, column, mean,
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
    rows.push_back({{"variant", row.name},
                    {"runs", row.runs.size()},
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
