#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <tuple>

#include "report/chart.h"
#include "report/html.h"
#include "report/sections.h"

namespace raven::report {
namespace {

constexpr std::size_t kRowsShown = 25;

std::string optional_count(const std::optional<double>& value) {
  return number_cell(value ? number_text(*value) : "");
}

/// A rate with a bar behind it that is full at 100 %.
std::string rate_cell(double rate, bool best = false) {
  const double width = std::clamp(100 * rate, 0.0, 100.0);
  return fmt::format("<td class=\"n bar{}\" style=\"--v:{:.1f}\">{}{}</td>", best ? " best" : "",
                     width, percent_text(rate), best ? " <span class=\"vh\">(lowest)</span>" : "");
}

struct Result {
  const LabelledRun* run;
  const EvaluationRecord* evaluation;
};

std::vector<Result> results_of(const Runs& runs) {
  std::vector<Result> results;
  for (const auto& run : runs) {
    for (const auto& evaluation : run.record.evaluations) {
      if (evaluation.rates) results.push_back({&run, &evaluation});
    }
  }
  // Clean sets first, then by noise from the strongest ratio down; runs beside each other.
  const auto order = [](const Result& result) {
    const auto name = parse_set_name(result.evaluation->name);
    return std::tuple(name.snr_db.has_value(), name.set, name.noise, -name.snr_db.value_or(0));
  };
  std::stable_sort(results.begin(), results.end(),
                   [&](const Result& a, const Result& b) { return order(a) < order(b); });
  return results;
}

std::string sentence_rate(const ErrorRates& rates) {
  if (!rates.sentence_errors || !rates.utterances || *rates.utterances <= 0) return number_cell("");
  return number_cell(percent_text(*rates.sentence_errors / *rates.utterances));
}

/// "recognizer.safetensors, step 400 of 400, mean of 10".
std::string weights_text(const ErrorRates& rates) {
  if (!rates.by) return "";
  const auto& by = *rates.by;
  const auto path = std::filesystem::path(by.weights);
  auto text = path.has_filename() ? path.filename().string() : by.weights;
  if (by.step) text += fmt::format(", step {}", number_text(*by.step));
  if (by.step && by.steps) text += fmt::format(" of {}", number_text(*by.steps));
  if (by.averaged_checkpoints.value_or(1) > 1)
    text += fmt::format(", mean of {}", number_text(*by.averaged_checkpoints));
  if (!by.best_by.empty()) text += ", best by " + by.best_by;
  if (!by.search.empty() && by.search != "hybrid") text += ", " + by.search;
  return fmt::format("<span title=\"{}\">{}</span>", escaped(by.weights, 300), escaped(text, 160));
}

std::string overview(const std::vector<Result>& results, bool several) {
  std::map<std::string, double> lowest;
  for (const auto& [run, evaluation] : results) {
    const auto found = lowest.emplace(evaluation->name, evaluation->rates->wer).first;
    found->second = std::min(found->second, evaluation->rates->wer);
  }
  std::string rows = "<thead><tr><th>set</th>";
  if (several) rows += "<th>run</th>";
  const bool told = std::ranges::any_of(
      results, [](const auto& one) { return one.evaluation->rates->by.has_value(); });
  if (told) rows += "<th>weights</th>";
  for (const char* name : {"WER", "95 % interval", "CER", "substituted", "missing", "added",
                           "words", "utterances", "with errors"}) {
    rows += fmt::format("<th class=\"n\">{}</th>", name);
  }
  rows += "</tr></thead>";
  for (const auto& [run, evaluation] : results) {
    const auto& rates = *evaluation->rates;
    rows +=
        fmt::format("<tr><th scope=\"row\" class=\"long\">{}</th>", escaped(evaluation->name, 120));
    if (several) rows += fmt::format("<td class=\"long\">{}</td>", escaped(run->label, 120));
    if (told) rows += fmt::format("<td class=\"long\">{}</td>", weights_text(rates));
    rows += rate_cell(rates.wer, several && rates.wer == lowest[evaluation->name]);
    rows += number_cell(rates.confidence
                            ? fmt::format("{} to {}", percent_text(rates.confidence->first),
                                          percent_text(rates.confidence->second))
                            : "");
    rows += rates.cer ? number_cell(percent_text(*rates.cer)) : number_cell("");
    rows += optional_count(rates.substitutions) + optional_count(rates.deletions) +
            optional_count(rates.insertions) + optional_count(rates.words) +
            optional_count(rates.utterances) + sentence_rate(rates) + "</tr>\n";
  }
  return "<div class=\"card\">" + table("Error rates of each set", rows) + "</div>\n";
}

/// Word error rate over the signal-to-noise ratio, one line for each set, noise and run.
std::string noise_chart(const std::vector<Result>& results, bool several) {
  std::map<std::string, std::map<double, double>> lines;
  for (const auto& [run, evaluation] : results) {
    const auto name = parse_set_name(evaluation->name);
    if (!name.snr_db) continue;
    auto label = name.set + ", " + name.noise;
    if (several) label += ", " + run->label;
    lines[label][*name.snr_db] = evaluation->rates->wer;
  }
  std::vector<Track> tracks;
  tracks.reserve(lines.size());
  std::vector<ChartSeries> series;
  for (const auto& [label, points] : lines) {
    auto& track = tracks.emplace_back();
    for (const auto& [snr, wer] : points) track.add(snr, wer);
    series.push_back({.name = label, .track = &track, .colour = series.size()});
  }
  return chart({.title = "WER and noise",
                .meaning = "over the signal-to-noise ratio in dB; more dB: less noise",
                .x_label = "dB",
                .percent = true},
               series);
}

bool is_rate(const std::string& key) {
  return key == "wer" || key == "cer" || key == "ser" ||
         (key.size() > 5 && key.compare(key.size() - 5, 5, "_rate") == 0);
}

/// "by_length" -> "by length"
std::string spaced(std::string key) {
  std::replace(key.begin(), key.end(), '_', ' ');
  return key;
}

double rate_of(const TableRow& row) {
  for (const auto& [key, value] : row.numbers) {
    if (key == "wer") return value;
  }
  return -1;
}

/// What a row is about; where other rows have a number, none means no limit, and for noise, clean.
std::string label_text(const TableRow& row, const std::string& key) {
  const auto has_key = [&](const auto& item) { return item.first == key; };
  const auto number = std::find_if(row.numbers.begin(), row.numbers.end(), has_key);
  if (number != row.numbers.end()) return number_text(number->second);
  const auto text = std::find_if(row.texts.begin(), row.texts.end(), has_key);
  if (text == row.texts.end()) return "";
  if (text->second.empty() && key == "snr_db") return "clean";
  return escaped(text->second, 120);
}

std::string row_markup(const TableRow& row, const std::vector<std::string>& texts,
                       const std::vector<std::string>& numbers) {
  std::string out = "<tr>";
  for (const auto& key : texts) out += fmt::format("<td>{}</td>", label_text(row, key));
  for (const auto& key : numbers) {
    const auto found = std::find_if(row.numbers.begin(), row.numbers.end(),
                                    [&](const auto& item) { return item.first == key; });
    if (found == row.numbers.end()) {
      out += number_cell("");
    } else {
      out += is_rate(key) ? rate_cell(found->second) : number_cell(number_text(found->second));
    }
  }
  return out + "</tr>\n";
}

std::string breakdown(const std::string& title, std::vector<TableRow> rows) {
  std::vector<std::string> texts, numbers;
  const auto has = [&](const char* key) {
    return std::any_of(rows.begin(), rows.end(), [&](const TableRow& row) {
      return std::any_of(row.numbers.begin(), row.numbers.end(),
                         [&](const auto& item) { return item.first == key; });
    });
  };
  for (const char* label : {"from_s", "to_s", "snr_db"}) {
    if (has(label)) texts.emplace_back(label);
  }
  for (const auto& row : rows) {
    for (const auto& [key, value] : row.texts) {
      if (std::find(texts.begin(), texts.end(), key) == texts.end()) texts.push_back(key);
    }
    for (const auto& [key, value] : row.numbers) {
      if (std::find(numbers.begin(), numbers.end(), key) == numbers.end()) numbers.push_back(key);
    }
  }
  const auto both = [&](const std::string& key) {
    return std::find(texts.begin(), texts.end(), key) != texts.end();
  };
  numbers.erase(std::remove_if(numbers.begin(), numbers.end(), both), numbers.end());
  std::string head = "<thead><tr>";
  for (const auto& key : texts) head += fmt::format("<th>{}</th>", escaped(spaced(key), 40));
  for (const auto& key : numbers)
    head += fmt::format("<th class=\"n\">{}</th>", escaped(spaced(key), 40));
  head += "</tr></thead>";
  if (title == "by_speaker") {
    std::stable_sort(rows.begin(), rows.end(),
                     [](const TableRow& a, const TableRow& b) { return rate_of(a) > rate_of(b); });
  }
  std::string shown, rest;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    (i < kRowsShown ? shown : rest) += row_markup(rows[i], texts, numbers);
  }
  auto out = table(spaced(title), head + shown);
  if (!rest.empty()) {
    out += details(fmt::format("{} more", rows.size() - kRowsShown),
                   table(spaced(title) + ", the others", head + rest));
  }
  return "<div class=\"card\">" + out + "</div>";
}

std::string breakdowns(const Result& result, bool several, bool open) {
  std::string tables;
  for (const auto& [title, rows] : result.evaluation->rates->tables)
    tables += breakdown(title, rows);
  if (tables.empty()) return {};
  auto name = escaped(result.evaluation->name, 120);
  if (several) name += " \xC2\xB7 " + escaped(result.run->label, 120);
  return fmt::format(
      "<details class=\"block\"{}><summary>{} <small>by length, speaker, noise</small></summary>"
      "<div class=\"tables\">{}</div></details>\n",
      open ? " open" : "", name, tables);
}

}  // namespace

std::string rates_section(const Runs& runs) {
  const auto results = results_of(runs);
  if (results.empty()) return {};
  const bool several = runs.size() > 1;
  auto out =
      fmt::format("<section id=\"rates\"><h2>Error rates</h2>\n<div class=\"beside\">{}{}</div>\n",
                  overview(results, several), noise_chart(results, several));
  out += breakdowns(results[0], several, /*open=*/true);
  std::string others;
  for (std::size_t i = 1; i < results.size(); ++i) {
    others += breakdowns(results[i], several, /*open=*/false);
  }
  if (!others.empty()) out += details("the other results by length, speaker, noise", others);
  return out + "</section>\n";
}

}  // namespace raven::report
