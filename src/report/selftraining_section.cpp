#include <spdlog/fmt/fmt.h>

#include "report/chart.h"
#include "report/html.h"
#include "report/sections.h"

namespace raven::report {
namespace {

/// "48 confidence, 3 empty".
std::string reasons_text(const std::map<std::string, std::int64_t>& rejected) {
  std::string text;
  for (const auto& [reason, count] : rejected) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count_text(count),
                        escaped(reason.empty() ? "(not said)" : reason, 40));
  }
  return text;
}

std::string rate_cell(const std::optional<double>& rate) {
  return number_cell(rate ? percent_text(*rate) : "");
}

/// Word errors of the round's student on the sets that it was evaluated on.
std::string results_of(const RoundRecord& round, const Runs& runs) {
  std::string text;
  for (const auto& run : runs) {
    if (round.student.empty() || run.record.folder != round.student) continue;
    for (const auto& evaluation : run.record.evaluations) {
      if (!evaluation.rates) continue;
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", escaped(evaluation.name, 60),
                          percent_text(evaluation.rates->wer));
    }
  }
  return text;
}

std::string rounds_table(const SelftrainingRecord& record, const Runs& runs) {
  std::string rows = "<thead><tr><th>round</th>";
  for (const char* name : {"labels", "kept", "WER of all labels", "WER of the kept"})
    rows += fmt::format("<th class=\"n\">{}</th>", name);
  rows += "<th>rejected</th><th>WER of the student</th></tr></thead>";
  for (const auto& round : record.rounds) {
    const auto share = round.labels == 0
                           ? 0.0
                           : static_cast<double>(round.kept) / static_cast<double>(round.labels);
    rows += fmt::format(
        "<tr><th scope=\"row\">{}</th>{}{}{}{}<td>{}</td><td>{}</td></tr>\n", round.number,
        number_cell(count_text(round.labels)),
        number_cell(fmt::format("{} ({})", count_text(round.kept), percent_text(share))),
        rate_cell(round.error_of_all), rate_cell(round.error_of_kept), reasons_text(round.rejected),
        results_of(round, runs));
  }
  return "<div class=\"card\">" + table("Rounds", rows) + "</div>\n";
}

std::string share_chart(const RoundRecord& round) {
  std::vector<ChartSeries> series;
  for (const auto& [criterion, track] : round.error_by_share)
    series.push_back({.name = criterion, .track = &track, .colour = series.size()});
  return chart({.title = fmt::format("Errors of the labels of round {}", round.number),
                .meaning = "word error of the labels that each criterion ranks first, over the "
                           "share of labels that would be kept",
                .x_label = "% kept",
                .percent = true},
               series);
}

}  // namespace

std::string selftraining_section(const std::vector<SelftrainingRecord>& records, const Runs& runs) {
  if (records.empty()) return {};
  std::string out = "<section id=\"selftraining\"><h2>Self-training</h2>\n";
  for (const auto& record : records) {
    out += fmt::format(
        "<p>{}{}</p>\n", escaped(record.folder.string(), 300),
        record.labeller.empty() ? "" : ", first labelled by " + escaped(record.labeller, 300));
    out += rounds_table(record, runs);
    std::string charts;
    for (const auto& round : record.rounds) charts += share_chart(round);
    if (!charts.empty()) out += "<div class=\"charts gap-above\">" + charts + "</div>\n";
    for (const auto& problem : record.problems)
      out += fmt::format("<p>{}</p>\n", escaped(problem, 400));
  }
  return out + "</section>\n";
}

}  // namespace raven::report
