#include <spdlog/fmt/fmt.h>

#include "report/html.h"
#include "report/sections.h"
#include "report/table_runs.h"

namespace raven::report {

RunTable table_of(const Runs& runs) {
  std::vector<TableRun> all;
  for (const auto& run : runs) all.push_back(table_run(run.label, run.record));
  return run_table(all, {});
}

void group_by_row(Runs& runs) {
  const auto rows = table_of(runs).rows;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (const auto i : rows[r].runs) {
      runs[i].colour = r;
      if (rows[r].runs.size() > 1) runs[i].group = rows[r].name;
    }
  }
}

std::string table_section(const Runs& runs) {
  if (runs.size() < 2) return {};
  const auto comparison = table_of(runs);
  auto markup = fmt::format("<thead><tr><th>{}</th>", comparison.row_title);
  for (const auto& key : comparison.settings)
    markup += fmt::format("<th class=\"long\">{}</th>", escaped(key, 120));
  markup += "<th class=\"n\">runs</th>";
  for (const auto& number : comparison.numbers)
    markup += fmt::format("<th class=\"n\">{}</th>", escaped(heading_of(number), 120));
  markup += "</tr></thead>";
  for (const auto& row : comparison.rows) {
    markup += fmt::format("<tr><th scope=\"row\" class=\"long\">{}</th>", escaped(row.name, 120));
    for (const auto& value : row.values)
      markup += fmt::format("<td class=\"long\">{}</td>", escaped(value, 120));
    markup += number_cell(runs_of_row(row));
    for (const auto& number : comparison.numbers) markup += number_cell(cell_of(row, number));
    markup += "</tr>\n";
  }
  std::string remarks;
  for (const auto& remark : comparison.remarks) remarks += "<li>" + escaped(remark, 600) + "</li>";
  if (!remarks.empty()) remarks = "<ul class=\"found\">" + remarks + "</ul>";
  return fmt::format(
      "<section id=\"table\"><h2>Comparison</h2>\n<div class=\"card\">{}{}</div></section>\n",
      table("Mean and deviation over runs that differ in their seed alone", markup), remarks);
}

}  // namespace raven::report
