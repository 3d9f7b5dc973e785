#include "raven/doctor/finding.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace raven::doctor {
namespace {

constexpr std::size_t kWidth = 98;    // of a terminal line, in characters
constexpr std::size_t kIndent = 9;    // of what stands below a finding
constexpr std::size_t kIdWidth = 24;  // of the widest id, and two spaces

std::string wrapped(const std::string& text, std::size_t first_column) {
  std::string result;
  std::size_t column = first_column, begin = 0;
  while (begin < text.size()) {
    const auto end = std::min(text.find(' ', begin), text.size());
    const auto word = text.substr(begin, end - begin);
    if (begin > 0 && column + 1 + word.size() > kWidth) {
      result += "\n" + std::string(kIndent, ' ');
      column = kIndent;
    } else if (begin > 0) {
      result += ' ';
      ++column;
    }
    result += word;
    column += word.size();
    begin = end + 1;
  }
  return result;
}

std::string verdict(const Findings& findings) {
  const auto failures = count(findings, Level::kFailure),
             warnings = count(findings, Level::kWarning);
  const auto counted = fmt::format("{} failure{}, {} warning{}", failures, failures == 1 ? "" : "s",
                                   warnings, warnings == 1 ? "" : "s");
  return failures == 0 ? "raven can run here: " + counted : "raven cannot run here: " + counted;
}

}  // namespace

std::string_view level_name(Level level) {
  constexpr std::array<std::string_view, 3> kNames = {"ok", "warning", "failure"};
  return kNames[static_cast<std::size_t>(level)];
}

std::int64_t count(const Findings& findings, Level level) {
  return std::count_if(findings.begin(), findings.end(),
                       [level](const Finding& finding) { return finding.level == level; });
}

bool can_run(const Findings& findings) { return count(findings, Level::kFailure) == 0; }

std::string to_text(const Findings& findings) {
  std::string text;
  for (const auto& finding : findings) {
    text += fmt::format("{:<{}}{:<{}}{}\n", level_name(finding.level), kIndent, finding.id,
                        kIdWidth, wrapped(finding.what, kIndent + kIdWidth));
    const std::string indent(kIndent, ' ');
    if (!finding.means.empty()) text += indent + wrapped(finding.means, kIndent) + "\n";
    if (!finding.remedy.empty())
      text += indent + wrapped("mend: " + finding.remedy, kIndent) + "\n";
  }
  return text + "\n" + verdict(findings) + "\n";
}

std::string to_json(const Findings& findings, std::string_view version) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& finding : findings) {
    list.push_back({{"id", finding.id},
                    {"level", level_name(finding.level)},
                    {"what", finding.what},
                    {"means", finding.means},
                    {"remedy", finding.remedy}});
  }
  const nlohmann::ordered_json json = {{"raven", version},
                                       {"can_run", can_run(findings)},
                                       {"failures", count(findings, Level::kFailure)},
                                       {"warnings", count(findings, Level::kWarning)},
                                       {"findings", std::move(list)}};
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  const bool whole =
      unit == 0 || value >= 10 || value == static_cast<double>(static_cast<std::int64_t>(value));
  return whole ? fmt::format("{:.0f} {}", value, kUnits[unit])
               : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

}  // namespace raven::doctor
