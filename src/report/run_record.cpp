#include "report/run_record.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <set>

#include "core/parse_json.h"
#include "raven/config/json.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "report/json_fields.h"
#include "report/lines.h"
#include "report/links.h"

namespace raven::report {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxLineBytes = 1 << 20, kMaxTracks = 400;
constexpr std::uint64_t kMaxConfigBytes = 4ULL << 20, kMaxHistoryBytes = 16ULL << 20;
constexpr std::size_t kMaxSkippedShown = 200, kMaxWarningsShown = 40;

std::map<std::string, std::string> flat_texts(const std::optional<Json>& json) {
  std::map<std::string, std::string> texts;
  if (!json || !json->is_object()) return texts;
  for (const auto& [key, value] : json->items()) {
    texts[key] = value.is_string() ? value.get<std::string>()
                                   : value.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  return texts;
}

std::string read_text(const fs::path& file, std::vector<std::string>& problems) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return {};
  try {
    refuse_link_out(file);
    return read_file(file, kMaxConfigBytes);
  } catch (const Error& error) {
    problems.push_back(error.what());
    return {};
  }
}

/// for_each_line() of a file that belongs to the run.
void for_each_line_of_run(const fs::path& file, const std::function<bool(std::string_view)>& see) {
  refuse_link_out(file);
  for_each_line(file, kMaxLineBytes, see);
}

void read_skipped(RunRecord& run) {
  const auto file = run.folder / "skipped.tsv";
  if (!fs::exists(file)) return;
  for_each_line_of_run(file, [&](std::string_view line) {
    if (line.empty()) return true;
    const auto first = line.find('\t');
    const auto second = first == line.npos ? line.npos : line.find('\t', first + 1);
    SkippedFile skipped{.id = std::string(line.substr(0, first)), .reason = "", .message = ""};
    if (first != line.npos) {
      skipped.reason = line.substr(first + 1, second == line.npos ? second : second - first - 1);
    }
    if (second != line.npos) skipped.message = line.substr(second + 1);
    ++run.skipped_by_reason[skipped.reason];
    if (run.skipped.size() < kMaxSkippedShown) run.skipped.push_back(std::move(skipped));
    return true;
  });
}

/// "2026-01-31 12:00:00 W text" -> "text"; empty for lines that are no warnings or errors.
std::string_view warning_text(std::string_view line) {
  constexpr std::size_t kLevelAt = 20, kTextAt = 22;
  if (line.size() <= kTextAt || line[4] != '-' || line[13] != ':' || line[kLevelAt + 1] != ' ') {
    return {};
  }
  return line[kLevelAt] == 'W' || line[kLevelAt] == 'E' ? line.substr(kTextAt) : std::string_view();
}

void read_log(RunRecord& run) {
  const auto file = run.folder / "log.txt";
  if (!fs::exists(file)) return;
  std::set<std::string, std::less<>> seen;
  for_each_line_of_run(file, [&](std::string_view line) {
    const auto text = warning_text(line);
    if (text.empty()) return true;
    ++run.num_warnings;
    if (run.warnings.size() < kMaxWarningsShown && seen.emplace(text).second) {
      run.warnings.emplace_back(text);
    }
    return true;
  });
}

std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> folders;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.is_directory(error)) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

/// What `raven evaluate` leaves in the folder of a set.
bool is_evaluation(const fs::path& folder) {
  std::error_code ignored;
  for (const char* file : {"wer.json", "hyp.trn", "decoded.jsonl", "worst.json"}) {
    if (fs::exists(folder / file, ignored)) return true;
  }
  return false;
}

/// The lower of the rates of both heads.
std::optional<double> lowest_rate(const Json& held_out, const char* of) {
  const auto found = held_out.find(of);
  if (found == held_out.end() || !found->is_object()) return std::nullopt;
  const auto ctc = number_of(*found, "valid_wer_ctc"),
             attention = number_of(*found, "valid_wer_attention");
  return ctc && attention ? std::min(ctc, attention) : ctc ? ctc : attention;
}

void read_recognizer(RunRecord& run) {
  const auto json = read_json(run.folder / "recognizer.json", /*required=*/false, run.problems);
  if (!json || !json->is_object()) return;
  RecognizerRecord record{.steps = {}, .warning = text_of(*json, "warning")};
  if (const auto steps = json->find("averaged_steps"); steps != json->end() && steps->is_array()) {
    for (const auto& step : *steps) record.steps.push_back(number_of(step).value_or(0));
  }
  if (const auto held_out = json->find("held_out");
      held_out != json->end() && held_out->is_object()) {
    record.wer_mean = lowest_rate(*held_out, "mean");
    record.wer_last = lowest_rate(*held_out, "last");
  }
  run.recognizer = std::move(record);
}

/// Results beside those of the model's own settings (out=<run>/evaluate/<name>) lie one folder
/// deeper.
void read_evaluations(RunRecord& run) {
  std::vector<fs::path> folders;
  refuse_link_out(run.folder / "evaluate");
  for (const auto& folder : folders_in(run.folder / "evaluate")) {
    const auto inner = fs::is_symlink(folder) || is_evaluation(folder) ? std::vector<fs::path>()
                                                                       : folders_in(folder);
    std::vector<fs::path> sets;
    std::ranges::copy_if(inner, std::back_inserter(sets), is_evaluation);
    if (sets.empty()) sets.push_back(folder);
    folders.insert(folders.end(), sets.begin(), sets.end());
  }
  for (const auto& folder : folders) {
    try {
      refuse_link_out(folder);
    } catch (const DataError& link) {
      run.problems.push_back(link.what());
      continue;
    }
    auto record = read_evaluation(folder, run.problems);
    record.name = folder.lexically_relative(run.folder / "evaluate").string();
    run.evaluations.push_back(std::move(record));
  }
}

/// Runs one reader; what it cannot read is said.
template <class Reader>
void guarded(RunRecord& run, const Reader& reader) {
  try {
    reader();
  } catch (const std::exception& error) {
    run.problems.push_back(full_message(error));
  }
}

}  // namespace

const Track* Metrics::track(const std::string& key) const {
  const auto found = tracks.find(key);
  return found == tracks.end() || found->second.empty() ? nullptr : &found->second;
}

std::string RunRecord::value(const std::string& config_key) const {
  const auto found = config.find(config_key);
  return found == config.end() ? std::string() : found->second;
}

std::optional<double> RunRecord::number(const std::string& fact) const {
  const auto found = environment.find(fact);
  if (found == environment.end() || found->second.empty()) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(found->second.c_str(), &end);
  return end == found->second.c_str() + found->second.size() ? std::optional(value) : std::nullopt;
}

double RunRecord::frames_per_step() const {
  const auto frames = number("frames_per_epoch");
  const auto* epoch = metrics.find("epoch");
  if (!frames || epoch == nullptr || epoch->last().step <= 0) return 0;
  return *frames * epoch->last().value / epoch->last().step;
}

Metrics read_metrics(const fs::path& file) {
  Metrics metrics;
  const auto see = [&](std::string_view line) {
    if (line.empty()) return true;
    ++metrics.lines;
    const auto json = parse_json<Json>(line);
    const auto step = json.is_object() ? number_of(json, "step") : std::nullopt;
    if (!step) {
      ++metrics.damaged_lines;
      return true;
    }
    metrics.last_step = std::max(metrics.last_step, *step);
    for (const auto& [key, value] : json.items()) {
      if (key == "step" || key.size() > 100) continue;
      if (value.is_null()) ++metrics.not_finite[key];
      const auto number = number_of(value);
      if (!number) continue;
      auto found = metrics.tracks.find(key);
      if (found == metrics.tracks.end()) {
        if (metrics.tracks.size() == kMaxTracks) continue;
        found = metrics.tracks.emplace(key, Track()).first;
      }
      found->second.add(*step, *number);
    }
    return true;
  };
  metrics.damaged_lines += for_each_line(file, kMaxLineBytes, see);
  return metrics;
}

RunRecord read_run(const fs::path& folder) {
  if (!fs::is_directory(folder)) {
    throw ConfigError(
        fmt::format("{}: there is no such folder, expected a run's (run.dir of "
                    "`raven pretrain`, `finetune`, ...)",
                    folder.string()));
  }
  constexpr std::array kOfARun = {"config.json", "environment.json", "metrics.jsonl", "config.yaml",
                                  "log.txt",     "checkpoints",      "evaluate"};
  const auto is_there = [&](const char* name) { return fs::exists(folder / name); };
  if (!fs::is_empty(folder) && std::ranges::none_of(kOfARun, is_there)) {
    throw ConfigError(
        fmt::format("{}: is not a run's folder (run.dir of `raven pretrain` or `finetune`): it has "
                    "none of {}",
                    folder.string(), fmt::join(kOfARun, ", ")));
  }
  RunRecord run;
  run.folder = folder;
  run.name = fs::absolute(folder).lexically_normal().filename().string();
  if (run.name.empty()) {
    run.name = fs::absolute(folder).lexically_normal().parent_path().filename().string();
  }
  auto& problems = run.problems;
  if (const auto json = read_json(folder / "config.json", /*required=*/true, problems))
    run.config = config::flat_of_json(json->dump(-1, ' ', false, Json::error_handler_t::replace));
  run.environment = flat_texts(read_json(folder / "environment.json", /*required=*/true, problems));
  run.config_yaml = read_text(folder / "config.yaml", problems);
  guarded(run, [&] {
    if (!fs::exists(folder / "overrides.txt")) return;
    for_each_line_of_run(folder / "overrides.txt", [&](std::string_view line) {
      if (!line.empty()) run.overrides.emplace_back(line);
      return true;
    });
  });
  guarded(run, [&] {
    if (fs::exists(folder / "metrics.jsonl")) {
      refuse_link_out(folder / "metrics.jsonl");
      run.metrics = read_metrics(folder / "metrics.jsonl");
    } else {
      problems.push_back("metrics.jsonl is missing");
    }
  });
  if (run.metrics.damaged_lines > 0) {
    problems.push_back(fmt::format("metrics.jsonl: {} of {} lines are damaged and left out",
                                   run.metrics.damaged_lines, run.metrics.lines));
  }
  guarded(run, [&] { read_skipped(run); });
  guarded(run, [&] { read_log(run); });
  std::error_code ignored;
  run.stopped_on_nan = fs::is_directory(folder / "nan", ignored);
  guarded(run, [&] { read_evaluations(run); });
  guarded(run, [&] { read_recognizer(run); });
  guarded(run, [&] {
    if (!fs::exists(folder / kHistoryFile)) return;
    refuse_link_out(folder / kHistoryFile);
    run.history = parse_history(read_file(folder / kHistoryFile, kMaxHistoryBytes));
  });
  return run;
}

}  // namespace raven::report
