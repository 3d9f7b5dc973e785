#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <functional>

#include "report/html.h"
#include "report/table_runs.h"

namespace raven::report {
namespace {

using Remarks = std::vector<std::string>;

/// A number that means something else where one of these settings differs; "x." stands for all keys
/// below x.
struct Dependence {
  const char* what;
  std::vector<std::string_view> keys;
  std::function<bool(const std::string&)> concerns;
  const char* why;
  bool of_pretraining = false;  // where predictions and targets are compared
};

PanelId panel_of(const std::string& number) {
  const auto known = find_metric(number);
  return known ? known->metric->panel : PanelId::kNone;
}

bool is_held_out(const std::string& number) {
  const auto known = find_metric(number);
  return known && known->metric->moment == Moment::kEvaluation;
}

bool is_gain(const std::string& number) {
  return panel_of(number) == PanelId::kGain || panel_of(number) == PanelId::kHeldOutGain;
}

bool is_loss(const std::string& number) { return panel_of(number) == PanelId::kLoss; }

const std::vector<Dependence>& dependences() {
  static const std::vector<std::string_view> predictions = {"mask.",
                                                            "teacher.",
                                                            "model.encoder.",
                                                            "model.video_encoder.",
                                                            "model.audio_encoder.",
                                                            "model.predictors.",
                                                            "loss.cross_masked_only",
                                                            "loss.within_masked_only"};
  static const std::vector<Dependence> all = {
      {.what = "numbers on held-out clips",
       .keys = {"data.valid_manifest", "validation.utterances"},
       .concerns = is_held_out,
       .why = "they are of other clips"},
      {.what = "probes",
       .keys = {"monitor.probe_utterances", "data.waveform"},
       .concerns = [](const auto& number) { return panel_of(number) == PanelId::kProbe; },
       .why = "they are fitted on, or predict, something else"},
      {.what = "gains",
       .keys = predictions,
       .concerns = is_gain,
       .why = "a gain depends on masks, targets and predictor",
       .of_pretraining = true},
      {.what = "losses",
       .keys = predictions,
       .concerns = is_loss,
       .why = "they depend on masks, targets and predictor",
       .of_pretraining = true},
      {.what = "losses",
       .keys = {"loss.", "text."},
       .concerns = is_loss,
       .why = "they are sums of other terms"}};
  return all;
}

bool is_below(const std::string& key, std::string_view prefix) {
  return prefix.back() == '.' ? key.starts_with(prefix) : key == prefix;
}

std::string joined(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 6;
  auto text = fmt::format(
      "{}",
      fmt::join(names.begin(),
                names.begin() + static_cast<std::ptrdiff_t>(std::min(kShown, names.size())), ", "));
  return names.size() > kShown ? fmt::format("{} and {} more", text, names.size() - kShown) : text;
}

/// Runs without numbers, and why.
void tell_gaps(const RunTable& table, const std::vector<TableRun>& runs,
               const std::vector<RowEntry>& entries, const RunTableOptions& options,
               Remarks& remarks) {
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const auto& run = runs[i];
    for (const auto& problem : run.record->problems)
      remarks.push_back(fmt::format("{}: {}", run.label, problem));
    if (run.unfinished.empty()) continue;
    remarks.push_back(fmt::format(
        "{}: {}, {}", run.label, run.unfinished,
        options.so_far ? "its numbers are those so far"
                       : "running still or stopped; left out (--so-far takes what there is)"));
  }
  for (const auto& name : table.numbers) {
    std::vector<std::string> lacking;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      if (entries[i].done && entries[i].numbers.count(name) == 0) lacking.push_back(runs[i].label);
    }
    if (lacking.empty()) continue;
    remarks.push_back(fmt::format("{}: none of {}{}", name, joined(lacking),
                                  evaluated_set(name).empty() ? "" : " (not evaluated)"));
  }
}

/// Runs that are told apart by nothing, rows of one run.
void tell_seeds(const RunTable& table, const std::vector<TableRun>& runs,
                const RunTableOptions& options, Remarks& remarks) {
  for (const auto& row : table.rows) {
    std::map<std::string, std::string> seen;
    for (const auto i : row.runs) {
      std::string values;
      for (const auto& key : options.by) values += runs[i].value(key) + "\n";
      const auto [found, is_new] = seen.emplace(values, runs[i].label);
      if (!is_new && !runs[i].record->config.empty())
        remarks.push_back(fmt::format("{} and {} have the same settings{}", found->second,
                                      runs[i].label, options.by.empty() ? "" : ", seed included"));
    }
  }
  std::vector<std::string> single;
  for (const auto& row : table.rows) {
    if (row.num_done == 1) single.push_back(row.name);
  }
  if (!single.empty() && table.rows.size() > 1)
    remarks.push_back(
        fmt::format("one run alone: {}; what differs may be the seed's doing (docs/comparing.md)",
                    joined(single)));
}

/// Rows that no column tells apart.
void tell_data(const RunTable& table, const std::vector<TableRun>& runs, Remarks& remarks) {
  for (std::size_t r = 1; r < table.rows.size(); ++r) {
    for (std::size_t other = 0; other < r; ++other) {
      const auto& first = runs[table.rows[other].runs.front()];
      const auto& second = runs[table.rows[r].runs.front()];
      const bool known = !first.record->config.empty() && !second.record->config.empty();
      if (known && table.rows[r].values == table.rows[other].values)
        remarks.push_back(
            fmt::format("{} and {} have the same settings, but were trained on other "
                        "data or by another command",
                        table.rows[other].name, table.rows[r].name));
    }
  }
}

/// Settings that differ between rows and give a number another meaning.
void tell_settings(const RunTable& table, Remarks& remarks) {
  for (const auto& dependence : dependences()) {
    if (std::ranges::none_of(table.numbers, dependence.concerns)) continue;
    if (dependence.of_pretraining && std::ranges::none_of(table.numbers, is_gain)) continue;
    std::vector<std::string> differing;
    for (const auto& key : table.settings) {
      if (std::ranges::any_of(dependence.keys, [&](auto prefix) { return is_below(key, prefix); }))
        differing.push_back(key);
    }
    if (!differing.empty())
      remarks.push_back(
          fmt::format("{} of rows that differ in {} may not be compared: {} (docs/comparing.md)",
                      dependence.what, joined(differing), dependence.why));
  }
}

/// Sets of one name that are not the same utterances.
void tell_sets(const RunTable& table, const std::vector<TableRun>& runs,
               const std::vector<RowEntry>& entries, Remarks& remarks) {
  for (const auto& number : table.numbers) {
    const auto set = evaluated_set(number);
    if (set.empty() || !number.starts_with("WER")) continue;
    const TableRun* first = nullptr;
    std::vector<std::string> others;
    const auto size_of = [&](const TableRun& run) {
      const auto& rates = *evaluation_of(*run.record, set)->rates;
      return fmt::format("{} with {}", counted(rates.utterances.value_or(0), "utterance"),
                         counted(rates.words.value_or(0), "word"));
    };
    for (std::size_t i = 0; i < runs.size(); ++i) {
      if (entries[i].numbers.count(number) == 0) continue;
      if (first == nullptr) first = &runs[i];
      if (size_of(runs[i]) != size_of(*first))
        others.push_back(fmt::format("{} has {}", runs[i].label, size_of(runs[i])));
    }
    if (!others.empty())
      remarks.push_back(fmt::format("the set {} is not the same in all runs: {} has {}; {}", set,
                                    first->label, size_of(*first), joined(others)));
  }
}

/// Why a column of p is empty.
void tell_tests(const RunTable& table, Remarks& remarks) {
  if (!table.base) return;
  const auto any_pair = [](const RunRow& row) {
    return std::ranges::any_of(row.against_base,
                               [](const auto& one) { return one.second.seeds.size() > 1; });
  };
  if (std::ranges::none_of(table.rows, any_pair))
    remarks.push_back(
        "no test over seeds: it needs two seeds at least that a row has in common with the base");
}

}  // namespace

std::vector<std::string> remarks_on(const RunTable& table, const std::vector<TableRun>& runs,
                                    const std::vector<RowEntry>& entries,
                                    const RunTableOptions& options) {
  Remarks remarks;
  tell_gaps(table, runs, entries, options, remarks);
  tell_sets(table, runs, entries, remarks);
  tell_data(table, runs, remarks);
  tell_settings(table, remarks);
  tell_tests(table, remarks);
  tell_seeds(table, runs, options, remarks);
  return remarks;
}

}  // namespace raven::report
