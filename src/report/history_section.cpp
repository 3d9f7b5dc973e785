#include <spdlog/fmt/fmt.h>

#include "report/html.h"
#include "report/sections.h"

namespace raven::report {
namespace {

/// Facts that tell one start from another, where they are known.
std::string facts_text(const RunStart& start) {
  std::string text;
  for (const char* key : {"host", "device", "processor", "threads", "commit", "folder"}) {
    const auto found = start.facts.find(key);
    if (found == start.facts.end() || found->second.empty()) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", key, found->second);
  }
  return text;
}

std::string hours_text(double seconds) {
  return seconds < 3600 ? fmt::format("{:.1f} min", seconds / 60)
                        : fmt::format("{:.1f} h", seconds / 3600);
}

/// The step that a part reached: what it said, else what the next one began from.
std::string reached(const std::vector<RunPart>& parts, std::size_t i) {
  if (parts[i].stop) return count_text(parts[i].stop->step);
  if (i + 1 < parts.size()) return count_text(parts[i + 1].start.from_step) + " or more";
  return "";
}

std::string rows_of(const LabelledRun& run, bool several) {
  std::string rows;
  const auto& parts = run.record.history;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto& [start, stop] = parts[i];
    rows += "<tr>";
    if (several) rows += fmt::format("<td class=\"long\">{}</td>", escaped(run.label, 120));
    const auto why = stop                   ? escaped(stop->reason, 300)
                     : i + 1 < parts.size() ? std::string("it was killed")
                                            : std::string("it goes on, or was killed");
    std::string words;
    for (const auto& word : start.arguments) words += " <code>" + escaped(word, 200) + "</code>";
    rows += fmt::format(
        "<td>{}</td>{}{}{}{}<td class=\"long\">{}</td><td class=\"long\">{}</td>"
        "<td class=\"long\">{}</td></tr>\n",
        escaped(start.time, 40), number_cell(count_text(start.from_step)),
        number_cell(reached(parts, i)), number_cell(count_text(start.steps)),
        number_cell(stop ? hours_text(stop->seconds) : ""), why, escaped(facts_text(start), 400),
        words);
  }
  return rows;
}

}  // namespace

std::string history_section(const Runs& runs) {
  const bool several = runs.size() > 1;
  std::string rows;
  for (const auto& run : runs) rows += rows_of(run, several);
  if (rows.empty()) return {};
  std::string head = "<thead><tr>";
  if (several) head += "<th>run</th>";
  head += "<th>began</th>";
  for (const char* name : {"from step", "to step", "of", "time"})
    head += fmt::format("<th class=\"n\">{}</th>", name);
  head += "<th>ended</th><th>on</th><th>arguments</th></tr></thead>";
  return "<section id=\"history\"><h2>History</h2>\n<div class=\"card\">" +
         table("Each start", head + rows) + "</div></section>\n";
}

}  // namespace raven::report
