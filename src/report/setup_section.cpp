#include <spdlog/fmt/fmt.h>

#include <set>

#include "report/html.h"
#include "report/sections.h"

namespace raven::report {
namespace {

using Texts = std::map<std::string, std::string>;

/// Keys as rows, runs as columns; only rows whose values differ when `differing`.
std::string comparison(const std::string& title, const Runs& runs, Texts RunRecord::*member,
                       bool differing, std::size_t& num_rows) {
  std::set<std::string> keys;
  for (const auto& run : runs) {
    for (const auto& [key, value] : run.record.*member) keys.insert(key);
  }
  std::string rows = "<thead><tr><th>key</th>";
  for (const auto& run : runs)
    rows += fmt::format("<th class=\"long\">{}</th>", escaped(run.label, 120));
  rows += "</tr></thead>";
  num_rows = 0;
  for (const auto& key : keys) {
    std::set<std::string> values;
    std::string cells;
    for (const auto& run : runs) {
      const auto found = (run.record.*member).find(key);
      const bool known = found != (run.record.*member).end();
      values.insert(known ? "=" + found->second : "");
      cells += fmt::format(
          "<td class=\"long\">{}</td>",
          known ? escaped(found->second, 300) : "<span class=\"soft\">\xE2\x80\x94</span>");
    }
    if (differing && (values.size() < 2 || key == "run.dir")) continue;
    ++num_rows;
    rows += fmt::format("<tr><th scope=\"row\" class=\"mono\">{}</th>{}</tr>\n", escaped(key, 120),
                        cells);
  }
  return table(title, rows);
}

std::string skipped_of(const LabelledRun& run) {
  const auto& record = run.record;
  std::string reasons, rows = "<thead><tr><th>id</th><th>reason</th><th>message</th></tr></thead>";
  std::int64_t total = 0;
  for (const auto& [reason, count] : record.skipped_by_reason) {
    total += count;
    reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : ", ",
                           reason.empty() ? "unknown" : escaped(reason, 60), count_text(count));
  }
  for (const auto& [id, reason, message] : record.skipped) {
    rows += fmt::format(
        "<tr><td class=\"mono long\">{}</td><td>{}</td><td class=\"long\">{}</td></tr>\n",
        escaped(id, 120), escaped(reason, 60), escaped(message, 400));
  }
  const auto caption =
      total > std::ssize(record.skipped)
          ? fmt::format("the first {} of {}", record.skipped.size(), count_text(total))
          : std::string("all of them");
  return fmt::format("<p><b>{}</b>: {} skipped ({})</p>", escaped(run.label, 120),
                     count_text(total), reasons) +
         details(caption, table("Skipped utterances, " + caption, rows));
}

}  // namespace

std::string files_section(const Runs& runs) {
  std::string skipped, warnings;
  for (const auto& run : runs) {
    if (!run.record.skipped.empty()) skipped += skipped_of(run);
    if (run.record.warnings.empty()) continue;
    std::string items;
    for (const auto& warning : run.record.warnings)
      items += "<li>" + escaped(warning, 600) + "</li>";
    warnings +=
        fmt::format("<p><b>{}</b>: {} warnings, each shown once</p><ul class=\"found\">{}</ul>",
                    escaped(run.label, 120), count_text(run.record.num_warnings), items);
  }
  std::string out;
  if (!skipped.empty())
    out += "<section id=\"skipped\"><h2>Skipped utterances</h2>" + skipped + "</section>\n";
  if (!warnings.empty())
    out += "<section id=\"log\"><h2>Warnings of the log</h2>" + warnings + "</section>\n";
  return out;
}

std::string setup_section(const Runs& runs) {
  if (runs.empty()) return {};
  std::string out = "<section id=\"setup\"><h2>Configuration and environment</h2>\n";
  std::size_t rows = 0;
  if (runs.size() > 1) {
    const auto differences =
        comparison("Settings that differ", runs, &RunRecord::config, /*differing=*/true, rows);
    out += rows > 0 ? "<div class=\"card\">" + differences + "</div>\n"
                    : std::string("<p>No setting differs.</p>\n");
  }
  for (const auto& run : runs) {
    if (run.record.overrides.empty()) continue;
    std::string words;
    for (const auto& override_text : run.record.overrides)
      words += " <code>" + escaped(override_text, 200) + "</code>";
    out += fmt::format("<p><small>{} was started with</small>{}</p>\n", escaped(run.label, 120),
                       words);
  }
  const auto environment =
      comparison("Environment", runs, &RunRecord::environment, /*differing=*/false, rows);
  if (rows > 0) out += "<div class=\"card gap-above\">" + environment + "</div>\n";
  for (const auto& run : runs) {
    if (run.record.config_yaml.empty()) continue;
    out += details(fmt::format("the whole configuration of {}", escaped(run.label, 120)),
                   "<pre>" + escaped(run.record.config_yaml, 200'000) + "</pre>");
  }
  return out + "</section>\n";
}

}  // namespace raven::report
