#include "raven/sweep/runs.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>

#include "raven/artifacts/flat_config_file.h"
#include "raven/artifacts/run_folder.h"
#include "raven/config/load.h"
#include "raven/config/machine_keys.h"
#include "raven/config/override.h"
#include "raven/config/stages.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/home.h"
#include "raven/core/lines.h"
#include "raven/train/init_input.h"

namespace raven::sweep {
namespace {

namespace fs = std::filesystem;
using config::FlatConfig;

fs::path config_file_of(const Run& run) { return run.folder / artifacts::kConfigFile; }

/// What a run of a sweep may not change when it goes on: all but the machine's settings. A run by
/// itself may change more (artifacts/run_folder), but is then no longer what the others are
/// compared with.
std::vector<std::string> changes(const FlatConfig& there, const FlatConfig& here,
                                 const FlatConfig& defaults) {
  auto lines = artifacts::differences(there, here, defaults);
  for (const auto& [key, now] : here) {
    const auto before = there.find(key);
    if (before == there.end() || before->second == now || config::is_of_the_machine(key)) continue;
    const auto told = key + ":";
    if (std::ranges::any_of(lines, [&](const auto& line) { return line.starts_with(told); }))
      continue;
    lines.push_back(fmt::format("{}: {} there, {} here", key, before->second, now));
  }
  return lines;
}

/// As the command of the stage reads it.
FlatConfig resolved(const std::string& stage, const std::string& base,
                    const std::vector<std::string>& overrides) {
  if (stage == config::FinetuneConfig::kStage)
    return config::flatten(train::load_finetune(base, overrides).config);
  if (stage == config::PretrainConfig::kStage)
    return config::flatten(train::load_pretrain(base, overrides).config);
  return config::flatten(config::stage_named(stage).load(base, overrides, {}).schema);
}

Run run_of(const config::SweepConfig& sweep, const std::string& base,
           const config::SweepVariant& variant, std::optional<std::int64_t> seed) {
  Run run{.name = seed ? fmt::format("{}-seed_{}", variant.name, *seed) : variant.name,
          .variant = variant.name,
          .seed = seed,
          .folder = {},
          .arguments = {sweep.stage},
          .config = {}};
  run.folder = folder_of(sweep) / run.name;
  auto overrides = sweep.overrides;
  overrides.insert(overrides.end(), variant.overrides.begin(), variant.overrides.end());
  if (seed) overrides.push_back(fmt::format("run.seed={}", *seed));
  overrides.push_back(config::text_override("run.dir", run.folder.string()));
  if (!base.empty()) run.arguments.insert(run.arguments.end(), {"--config", base});
  run.arguments.insert(run.arguments.end(), overrides.begin(), overrides.end());
  try {
    run.config = resolved(sweep.stage, base, overrides);
  } catch (const ConfigError& error) {
    throw ConfigError(fmt::format("run {}: {}", run.name, error.what()));
  }
  return run;
}

}  // namespace

fs::path folder_of(const config::SweepConfig& sweep) {
  const auto dir = fs::path(expand_home(sweep.dir)).lexically_normal();
  return dir.has_filename() ? dir : dir.parent_path();
}

std::vector<Run> runs_of(const config::SweepConfig& sweep) {
  const auto base = sweep.config.empty() ? "" : config::find_config(sweep.config).string();
  std::vector<std::optional<std::int64_t>> seeds(sweep.seeds.begin(), sweep.seeds.end());
  if (seeds.empty()) seeds.emplace_back();
  std::vector<Run> runs;
  for (const auto& variant : sweep.variants) {
    for (const auto& seed : seeds) runs.push_back(run_of(sweep, base, variant, seed));
  }
  return runs;
}

void check_begun_runs(const config::SweepConfig& sweep, const std::vector<Run>& runs) {
  const auto defaults = config::flatten(config::stage_named(sweep.stage).defaults().schema);
  std::vector<std::string> problems;
  std::set<fs::path> own;
  for (const auto& run : runs) {
    own.insert(run.folder.filename());
    const auto before = artifacts::read_flat_config(config_file_of(run));
    if (before.empty()) continue;
    for (const auto& line : changes(before, run.config, defaults))
      problems.push_back(fmt::format("{}: {}", run.name, line));
  }
  const auto dir = folder_of(sweep);
  std::vector<std::string> others;
  std::error_code ignored;  // no such folder: nothing was begun
  for (const auto& entry : fs::directory_iterator(dir, ignored)) {
    const auto name = entry.path().filename();
    if (own.count(name) == 0 && fs::exists(entry.path() / artifacts::kConfigFile, ignored))
      others.push_back(fmt::format("{}: was begun, and the sweep has no such run", name.string()));
  }
  std::sort(others.begin(), others.end());
  problems.insert(problems.end(), others.begin(), others.end());
  if (problems.empty()) return;
  throw ConfigError(fmt::format(
      "{} holds runs of another sweep than {} describes; runs may be added to a sweep, but not "
      "changed: undo the change, give another dir, or move these folders away:\n  {}",
      dir.string(), sweep.name, fmt::join(problems, "\n  ")));
}

FinishedRuns::FinishedRuns(const fs::path& dir) : file_(dir / "finished.txt") {
  if (!fs::exists(file_)) return;
  const auto content = read_file(file_);
  Lines lines(content);
  while (const auto line = lines.next()) names_.insert(std::string(*line));
}

bool FinishedRuns::has(const Run& run) const {
  return names_.count(run.name) > 0 && fs::exists(config_file_of(run));
}

void FinishedRuns::add(const Run& run) {
  names_.insert(run.name);
  write_file_atomically(file_, fmt::format("{}\n", fmt::join(names_, "\n")));
}

}  // namespace raven::sweep
