// A table of runs in the forms that people paste.
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <functional>
#include <set>

#include "core/text_file.h"
#include "raven/core/aligned.h"
#include "raven/report/metric_names.h"
#include "report/table_runs.h"

namespace raven::report {
namespace {

using Cells = std::vector<std::string>;

constexpr const char* kNone = "-";
constexpr std::size_t kMostValueBytes = 60;  // for readers; lists of files can be long

bool is_share(const std::string& number) {
  const auto known = find_metric(number);
  return !evaluated_set(number).empty() || (known && known->metric->unit == Unit::kShare);
}

std::string value_text(const std::string& number, double value) {
  return is_share(number) ? fmt::format("{:.1f}", 100 * value) : fmt::format("{:.3f}", value);
}

std::string p_text(const std::optional<double>& p) {
  if (!p) return kNone;
  return *p < 0.0001 ? "<0.0001" : fmt::format("{:.2g}", *p);
}

/// Settings whose values change together from row to row, by their positions.
std::vector<std::vector<std::size_t>> settings_that_agree(const RunTable& table) {
  std::vector<std::vector<std::size_t>> groups;
  for (std::size_t s = 0; s < table.settings.size(); ++s) {
    const auto agrees = [&](const std::vector<std::size_t>& group) {
      return std::ranges::all_of(table.rows, [&](const RunRow& row) {
        return row.values[group.front()] == row.values[s];
      });
    };
    const auto found = std::ranges::find_if(groups, agrees);
    if (found == groups.end()) {
      groups.push_back({s});
    } else {
      found->push_back(s);
    }
  }
  return groups;
}

/// One heading for keys of like values: "model.predictors.*.kind" where one part alone differs.
std::string heading_of_settings(const std::vector<std::string>& keys) {
  const auto first = split(keys.front(), '.');
  std::vector<std::string> parts(first.begin(), first.end());
  std::set<std::size_t> differing;
  bool alike = true;
  for (const auto& key : keys) {
    const auto others = split(key, '.');
    alike = alike && others.size() == parts.size();
    for (std::size_t i = 0; alike && i < parts.size(); ++i) {
      if (others[i] != parts[i]) differing.insert(i);
    }
  }
  if (!alike || differing.size() > 1)
    return fmt::format("{} (+{} alike)", keys.front(), keys.size() - 1);
  for (const auto i : differing) parts[i] = "*";
  return fmt::format("{}", fmt::join(parts, "."));
}

/// Whether any row has a p of this kind for the number: an empty column says nothing.
bool has_p(const RunTable& table, const std::string& number,
           std::optional<double> Difference::*kind) {
  return std::ranges::any_of(table.rows, [&](const RunRow& row) {
    const auto found = row.against_base.find(number);
    return found != row.against_base.end() && (found->second.*kind).has_value();
  });
}

std::string p_cell(const RunTable& table, std::size_t row, const std::string& number,
                   std::optional<double> Difference::*kind) {
  if (table.base == row) return "base";
  const auto found = table.rows[row].against_base.find(number);
  return found == table.rows[row].against_base.end() ? kNone : p_text(found->second.*kind);
}

/// A line of headings and one for each row.
std::vector<Cells> lines_for_readers(const RunTable& table) {
  std::vector<Cells> lines(table.rows.size() + 1);
  const auto add = [&](const std::string& heading,
                       const std::function<std::string(std::size_t)>& cell) {
    lines[0].push_back(heading);
    for (std::size_t r = 0; r < table.rows.size(); ++r) lines[r + 1].push_back(cell(r));
  };
  add(table.row_title, [&](std::size_t r) { return table.rows[r].name; });
  for (const auto& group : settings_that_agree(table)) {
    std::vector<std::string> keys;
    for (const auto s : group) keys.push_back(table.settings[s]);
    add(heading_of_settings(keys), [&](std::size_t r) {
      const auto& value = table.rows[r].values[group.front()];
      return value.size() > kMostValueBytes ? value.substr(0, kMostValueBytes) + "..." : value;
    });
  }
  add("runs", [&](std::size_t r) { return runs_of_row(table.rows[r]); });
  for (const auto& number : table.numbers) {
    add(heading_of(number), [&](std::size_t r) { return cell_of(table.rows[r], number); });
    if (has_p(table, number, &Difference::p_seeds))
      add("p seeds", [&](std::size_t r) { return p_cell(table, r, number, &Difference::p_seeds); });
    if (has_p(table, number, &Difference::p_utterances))
      add("p utterances",
          [&](std::size_t r) { return p_cell(table, r, number, &Difference::p_utterances); });
  }
  return lines;
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string csv_line(const Cells& cells) {
  std::string line;
  for (const auto& cell : cells) line += (line.empty() ? "" : ",") + csv_cell(cell);
  return line + "\n";
}

/// Each character as `by` writes it.
std::string replaced(const std::string& text, const std::function<std::string(char)>& by) {
  std::string out;
  for (const char c : text) out += by(c);
  return out;
}

std::string markdown_cell(const std::string& text) {
  return replaced(text, [](char c) {
    if (c == '\n') return std::string(" ");
    return c == '|' || c == '\\' || c == '*' || c == '_' || c == '<' || c == '`'
               ? std::string("\\") + c
               : std::string(1, c);
  });
}

std::string latex_text(const std::string& text) {
  const auto escaped = replaced(text, [](char c) -> std::string {
    switch (c) {
      case '\\':
        return "\\textbackslash{}";
      case '~':
        return "\\textasciitilde{}";
      case '^':
        return "\\textasciicircum{}";
      case '<':
        return "$<$";
      case '\n':
        return " ";
      case '&':
      case '%':
      case '$':
      case '#':
      case '_':
      case '{':
      case '}':
        return std::string("\\") + c;
      default:
        return {c};
    }
  });
  std::string out = escaped;
  const std::string plus_minus = " \xC2\xB1 ";
  for (auto at = out.find(plus_minus); at != out.npos; at = out.find(plus_minus, at))
    out.replace(at, plus_minus.size(), " $\\pm$ ");
  return out;
}

}  // namespace

std::string heading_of(const std::string& number) {
  return is_share(number) ? number + " %" : number;
}

std::string cell_of(const RunRow& row, const std::string& number) {
  const auto found = row.numbers.find(number);
  if (found == row.numbers.end()) return kNone;
  const auto& [mean, deviation, n] = found->second;
  auto text = value_text(number, mean);
  if (deviation) text += " \xC2\xB1 " + value_text(number, *deviation);
  if (n != row.num_done) text += fmt::format(" (n={})", n);
  return text;
}

std::string runs_of_row(const RunRow& row) {
  const auto all = std::ssize(row.runs);
  return row.num_done == all ? fmt::format("{}", all) : fmt::format("{} of {}", row.num_done, all);
}

std::string to_text(const RunTable& table) {
  auto text = aligned(lines_for_readers(table));
  for (const auto& remark : table.remarks) text += "note: " + remark + "\n";
  return text;
}

std::string to_csv(const RunTable& table) {
  Cells header = {table.row_title};
  header.insert(header.end(), table.settings.begin(), table.settings.end());
  header.insert(header.end(), {"runs", "done"});
  for (const auto& number : table.numbers) {
    for (const char* what : {"mean", "deviation", "n"}) header.push_back(number + " " + what);
    if (table.base)
      for (const char* what : {"p seeds", "p utterances"}) header.push_back(number + " " + what);
  }
  auto text = csv_line(header);
  const auto number_text = [](const std::optional<double>& value) {
    return value ? fmt::format("{}", *value) : std::string();
  };
  for (const auto& row : table.rows) {
    Cells line = {row.name};
    line.insert(line.end(), row.values.begin(), row.values.end());
    line.push_back(fmt::format("{}", row.runs.size()));
    line.push_back(fmt::format("{}", row.num_done));
    for (const auto& number : table.numbers) {
      const auto found = row.numbers.find(number);
      const bool there = found != row.numbers.end();
      line.push_back(there ? number_text(found->second.mean) : "");
      line.push_back(there ? number_text(found->second.deviation) : "");
      line.push_back(there ? fmt::format("{}", found->second.n) : "0");
      if (!table.base) continue;
      const auto against = row.against_base.find(number);
      const bool compared = against != row.against_base.end();
      line.push_back(compared ? number_text(against->second.p_seeds) : "");
      line.push_back(compared ? number_text(against->second.p_utterances) : "");
    }
    text += csv_line(line);
  }
  return text;
}

std::string to_markdown(const RunTable& table) {
  const auto lines = lines_for_readers(table);
  std::string text;
  for (const auto& line : lines) {
    text += "|";
    for (const auto& cell : line) text += " " + markdown_cell(cell) + " |";
    text += "\n";
    if (&line != &lines.front()) continue;
    text += "|---|";
    for (std::size_t c = 1; c < line.size(); ++c) text += "---:|";
    text += "\n";
  }
  if (!table.remarks.empty()) text += "\n";
  for (const auto& remark : table.remarks) text += "- " + markdown_cell(remark) + "\n";
  return text;
}

std::string to_latex(const RunTable& table) {
  const auto lines = lines_for_readers(table);
  auto text = fmt::format("% \\usepackage{{booktabs}}\n\\begin{{tabular}}{{l{}}}\n\\toprule\n",
                          std::string(lines.front().size() - 1, 'r'));
  for (const auto& line : lines) {
    for (std::size_t c = 0; c < line.size(); ++c)
      text += (c == 0 ? "" : " & ") + latex_text(line[c]);
    text += " \\\\\n";
    if (&line == &lines.front()) text += "\\midrule\n";
  }
  text += "\\bottomrule\n\\end{tabular}\n";
  for (const auto& remark : table.remarks) {
    text +=
        "% " + replaced(remark, [](char c) { return std::string(1, c == '\n' ? ' ' : c); }) + "\n";
  }
  return text;
}

}  // namespace raven::report
