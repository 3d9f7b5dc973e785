#include "raven/report/run_table.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "raven/config/machine_keys.h"
#include "raven/core/error.h"
#include "raven/report/final_numbers.h"
#include "raven/text/confidence.h"
#include "report/html.h"
#include "report/labels.h"
#include "report/selftraining_record.h"
#include "report/table_runs.h"

namespace raven::report {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kWer = "WER ", kCer = "CER ";

std::string unfinished_of(const RunRecord& run) {
  const auto found = run.environment.find("steps");
  const double steps =
      found == run.environment.end() ? 0 : std::strtod(found->second.c_str(), nullptr);
  if (run.metrics.lines == 0) return "no steps reported";
  if (run.metrics.last_step >= steps) return {};
  return fmt::format("at step {} of {}", number_text(run.metrics.last_step), number_text(steps));
}

/// Keys whose values differ between runs that have them, but for those of the machine and `by`.
std::vector<std::string> differing_keys(const std::vector<TableRun>& runs,
                                        const std::vector<std::string>& by) {
  std::map<std::string, std::set<std::string>> values;
  for (const auto& run : runs) {
    for (const auto& [key, value] : run.record->config) values[key].insert(value);
  }
  std::vector<std::string> keys;
  for (const auto& [key, all] : values) {
    if (all.size() > 1 && !config::is_of_the_machine(key) &&
        std::find(by.begin(), by.end(), key) == by.end())
      keys.push_back(key);
  }
  return keys;
}

std::string fact_of(const TableRun& run, const char* name) {
  const auto found = run.record->environment.find(name);
  return found == run.record->environment.end() ? std::string() : found->second;
}

/// What runs of one row have in common. Of a run whose settings are lost nothing is known, so it
/// has a row of its own.
std::string row_key(const TableRun& run, const std::vector<std::string>& keys) {
  if (run.record->config.empty()) return "alone\n" + run.label;
  std::string text;  // lists of one name may hold other clips
  for (const char* fact : {"stage", "data_hash", "frames_per_epoch"})
    text += fact_of(run, fact) + "\n";
  for (const auto& key : keys) {
    const auto found = run.record->config.find(key);
    text += found == run.record->config.end() ? "-\n" : "=" + found->second + "\n";
  }
  return text;
}

/// Evaluations first; gains on training clips where none are held out.
std::vector<std::string> number_columns(const std::vector<TableRun>& runs,
                                        const std::vector<RowEntry>& entries) {
  std::vector<std::string> columns;
  std::set<std::string> names;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    for (const auto& evaluation : runs[i].record->evaluations) {
      for (const auto kind : {kWer, kCer}) {
        const auto name = std::string(kind) + evaluation.name;
        if (entries[i].numbers.count(name) > 0 &&
            std::find(columns.begin(), columns.end(), name) == columns.end())
          columns.push_back(name);
      }
    }
    for (const auto& [name, value] : entries[i].numbers) {
      if (evaluated_set(name).empty()) names.insert(name);
    }
  }
  const auto panel_of = [](const std::string& name) {
    const auto known = find_metric(name);
    return known ? known->metric->panel : PanelId::kOther;
  };
  const auto main = main_numbers(names);
  columns.insert(columns.end(), main.begin(), main.end());
  const bool held_out = std::ranges::any_of(
      main, [&](const auto& name) { return panel_of(name) == PanelId::kHeldOutGain; });
  for (const auto& name : learning_numbers(names)) {
    if (!held_out && panel_of(name) == PanelId::kGain) columns.push_back(name);
  }
  return columns;
}

using RunPairs = std::vector<std::pair<const TableRun*, const TableRun*>>;

/// Runs of two rows that agree in `key`; empty key: the only run of each.
RunPairs pairs_of(const std::vector<TableRun>& runs, const RunRow& base, const RunRow& row,
                  const std::string& key) {
  std::map<std::string, const TableRun*> of_base;
  for (const auto i : base.runs) of_base.emplace(key.empty() ? "" : runs[i].value(key), &runs[i]);
  RunPairs pairs;
  std::set<std::string> taken;
  for (const auto i : row.runs) {
    const auto value = key.empty() ? "" : runs[i].value(key);
    const auto found = of_base.find(value);
    if (found != of_base.end() && taken.insert(value).second)
      pairs.emplace_back(found->second, &runs[i]);
  }
  return pairs;
}

struct UtteranceErrors {
  std::string reference;
  std::int64_t pairs = 0;
  text::UtterancePair sum;
};

/// Empty where a pair lacks the set, or one utterance has two references.
std::optional<double> p_over_utterances(const RunPairs& pairs, const std::string& set) {
  std::map<std::string, UtteranceErrors> errors;
  for (const auto& [base, other] : pairs) {
    const auto* of_base = evaluation_of(*base->record, set);
    const auto* of_other = evaluation_of(*other->record, set);
    if (of_base == nullptr || of_other == nullptr) return std::nullopt;
    std::map<std::string_view, const UtteranceResult*> by_id;
    for (const auto& one : of_base->utterances) by_id.emplace(one.id, &one);
    for (const auto& one : of_other->utterances) {
      const auto found = by_id.find(one.id);
      if (found == by_id.end()) continue;
      auto& sum = errors.emplace(one.id, UtteranceErrors{.reference = one.reference}).first->second;
      if (one.reference != sum.reference || found->second->reference != sum.reference)
        return std::nullopt;
      ++sum.pairs;
      sum.sum.words += static_cast<std::int64_t>(one.words);
      sum.sum.errors_a += static_cast<std::int64_t>(found->second->errors);
      sum.sum.errors_b += static_cast<std::int64_t>(one.errors);
    }
  }
  std::vector<text::UtterancePair> sums;
  for (const auto& [id, sum] : errors) {
    if (sum.pairs == std::ssize(pairs)) sums.push_back(sum.sum);
  }
  if (sums.empty()) return std::nullopt;
  return text::compare_systems(sums, {.resamples = 1}).p_matched_pairs;
}

void compare_with_base(const std::vector<TableRun>& runs, const std::vector<RowEntry>& entries,
                       const RunTableOptions& options, RunTable& table) {
  const auto& base = table.rows[*table.base];
  const auto first = options.by.empty() ? std::string() : options.by.front();
  const auto number = [&](const TableRun* run, const std::string& name) -> std::optional<double> {
    const auto& numbers = entries[static_cast<std::size_t>(run - runs.data())].numbers;
    const auto found = numbers.find(name);
    return found == numbers.end() ? std::nullopt : std::optional(found->second);
  };
  for (auto& row : table.rows) {
    if (&row == &base) continue;
    const bool of_one = base.runs.size() == 1 && row.runs.size() == 1;
    const auto pairs = pairs_of(runs, base, row, of_one ? "" : first);
    for (const auto& name : table.numbers) {
      Difference difference;
      RunPairs with_number;
      for (const auto& pair : pairs) {
        const auto before = number(pair.first, name), after = number(pair.second, name);
        if (!before || !after) continue;
        with_number.push_back(pair);
        difference.seeds.emplace_back(*before, *after);
      }
      if (with_number.empty()) continue;
      difference.p_seeds = paired_t_test(difference.seeds);
      if (name.starts_with(kWer))
        difference.p_utterances = p_over_utterances(with_number, evaluated_set(name));
      row.against_base[name] = std::move(difference);
    }
  }
}

}  // namespace

std::string evaluated_set(const std::string& number) {
  return number.starts_with(kWer) || number.starts_with(kCer) ? number.substr(kWer.size()) : "";
}

const EvaluationRecord* evaluation_of(const RunRecord& run, const std::string& set) {
  const auto found = std::find_if(run.evaluations.begin(), run.evaluations.end(),
                                  [&](const auto& one) { return one.name == set; });
  return found == run.evaluations.end() || !found->rates ? nullptr : &*found;
}

TableRun table_run(std::string label, const RunRecord& record) {
  TableRun run{.label = std::move(label),
               .record = &record,
               .unfinished = unfinished_of(record),
               .numbers = {}};
  for (const auto& [name, track] : record.metrics.tracks) {
    if (!track.empty()) run.numbers[name] = track.last().value;
  }
  for (const auto& evaluation : record.evaluations) {
    if (!evaluation.rates) continue;
    run.numbers[std::string(kWer) + evaluation.name] = evaluation.rates->wer;
    if (evaluation.rates->cer)
      run.numbers[std::string(kCer) + evaluation.name] = *evaluation.rates->cer;
  }
  return run;
}

std::vector<RunRow> rows_of(const std::vector<RowEntry>& runs) {
  std::vector<RunRow> rows;
  std::map<std::string, std::size_t> at;
  std::vector<std::map<std::string, std::vector<double>>> values;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const auto [found, is_new] = at.emplace(runs[i].row, rows.size());
    if (is_new) {
      rows.push_back({.name = runs[i].row});
      values.emplace_back();
    }
    auto& row = rows[found->second];
    row.runs.push_back(i);
    if (!runs[i].done) continue;
    ++row.num_done;
    for (const auto& [name, value] : runs[i].numbers) values[found->second][name].push_back(value);
  }
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (const auto& [name, all] : values[r]) rows[r].numbers[name] = spread_of(all);
  }
  return rows;
}

RunTable run_table(const std::vector<TableRun>& runs, const RunTableOptions& options,
                   std::optional<std::size_t> base) {
  RunTable table;
  table.settings = differing_keys(runs, options.by);
  std::vector<RowEntry> entries;
  for (const auto& run : runs) {
    const bool done = run.unfinished.empty() || options.so_far;
    entries.push_back({.row = row_key(run, table.settings),
                       .done = done,
                       .numbers = done ? run.numbers : std::map<std::string, double>()});
  }
  table.numbers = number_columns(runs, entries);
  table.rows = rows_of(entries);
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    auto& row = table.rows[r];
    std::vector<std::string> labels;
    for (const auto i : row.runs) labels.push_back(runs[i].label);
    row.name = common_label(labels);
    for (const auto& key : table.settings) {
      const auto& config = runs[row.runs.front()].record->config;
      const auto found = config.find(key);
      row.values.push_back(found == config.end() ? "-" : found->second);
    }
    if (base && std::find(row.runs.begin(), row.runs.end(), *base) != row.runs.end())
      table.base = r;
  }
  if (table.base) compare_with_base(runs, entries, options, table);
  table.remarks = remarks_on(table, runs, entries, options);
  return table;
}

RunTable run_table(const std::vector<fs::path>& folders, const RunTableOptions& options) {
  std::optional<std::size_t> base;
  std::vector<RunRecord> records;
  for (std::size_t i = 0; i < folders.size(); ++i) {
    records.push_back(read_run(folders[i]));
    if (options.base && fs::weakly_canonical(folders[i]) == fs::weakly_canonical(*options.base))
      base = i;
  }
  if (options.base && !base)
    throw ConfigError(
        fmt::format("the base {} is none of the {} runs of the table; name it among "
                    "them as well",
                    options.base->string(), folders.size()));
  const auto labels = unique_labels(folders);
  std::vector<TableRun> runs;
  for (std::size_t i = 0; i < records.size(); ++i) runs.push_back(table_run(labels[i], records[i]));
  return run_table(runs, options, base);
}

std::vector<fs::path> runs_in(const std::vector<fs::path>& folders) {
  const auto is_run = [](const fs::path& folder) { return fs::exists(folder / "config.json"); };
  std::vector<fs::path> all;
  for (const auto& folder : folders) {
    std::vector<fs::path> inside;
    std::error_code ignored;  // no folder: whoever reads it says so
    if (!is_run(folder) && !is_selftraining(folder)) {
      for (const auto& entry : fs::directory_iterator(folder, ignored)) {
        if (is_run(entry.path())) inside.push_back(entry.path());
      }
    }
    std::sort(inside.begin(), inside.end());
    if (inside.empty()) inside.push_back(folder);
    all.insert(all.end(), inside.begin(), inside.end());
  }
  return all;
}

}  // namespace raven::report
