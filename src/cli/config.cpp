#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdio>

#include "cli/commands.h"
#include "cli/idle_overs.h"
#include "cli/print.h"
#include "raven/config/flat_config.h"
#include "raven/config/needed_files.h"
#include "raven/config/pretrain_config.h"
#include "raven/config/reference.h"
#include "raven/config/stages.h"
#include "raven/core/aligned.h"
#include "raven/core/error.h"
#include "raven/core/tried_path.h"

namespace raven::cli {
namespace {

constexpr config::LoadOptions kWithGaps = {.allow_missing = true};
constexpr const char* kAuto = "auto";

/// As asked for with --stage, else the one that the keys of `file` and `overrides` fit.
const config::Stage& stage_for(const Arguments& arguments, const std::filesystem::path& file,
                               const std::vector<std::string>& overrides) {
  const auto asked = arguments.text("--stage");
  return asked == kAuto ? config::stage_of(file, overrides) : config::stage_named(asked);
}

ExitCode show(const Arguments& arguments) {
  const auto file = arguments.config_file();
  const auto overrides = arguments.overrides();
  print_content(stage_for(arguments, file, overrides).load(file, overrides, kWithGaps).yaml);
  return ExitCode::kDone;
}

/// The first that has all of these keys or groups; pretrain when none has, to say which is unknown.
const config::Stage& stage_that_knows(const std::vector<std::string>& keys) {
  const auto knows = [](const config::Schema& schema, const std::string& key) {
    return std::ranges::any_of(schema.fields,
                               [&](const auto& field) { return field.key == key; }) ||
           std::ranges::any_of(schema.groups, [&](const auto& group) { return group.key == key; });
  };
  for (const auto& stage : config::stages()) {
    const auto defaults = stage.defaults();
    if (std::ranges::all_of(keys, [&](const auto& key) { return knows(defaults.schema, key); }))
      return stage;
  }
  return config::stage_named(config::PretrainConfig::kStage);
}

ExitCode describe(const Arguments& arguments) {
  if (!arguments.flag("--markdown")) {
    const auto asked = arguments.text("--stage");
    const auto& stage =
        asked == kAuto ? stage_that_knows(arguments.list("KEY")) : config::stage_named(asked);
    print(config::describe(stage.defaults().schema, arguments.list("KEY")));
  } else if (arguments.given("KEY")) {
    throw ConfigError("raven config describe: --markdown writes all keys, expected no KEY with it");
  } else {
    print(config::reference_markdown());
  }
  return ExitCode::kDone;
}

ExitCode check(const Arguments& arguments) {
  const auto file = arguments.config_file();
  const auto& stage = stage_for(arguments, file, arguments.overrides());
  const auto config = stage.load(file, arguments.overrides(), {});
  warn_of_idle_overs(stage, file, arguments.overrides());
  const auto name = file.empty() ? "defaults" : file.string();
  if (!arguments.flag("--keys")) {
    std::string missing;
    for (const auto& [key, path] : config::missing_files(config.schema))
      missing += fmt::format("\n  {}: there is no {}", key, tried_path(path));
    if (!missing.empty()) {
      throw ConfigError(
          fmt::format("{}: its keys are fine, but a run would not find (--keys does not look):{}",
                      name, missing));
    }
  }
  print(fmt::format("{}: fine\n", name));
  return ExitCode::kDone;
}

/// Of a run its resolved configuration.
std::filesystem::path file_of(const std::string& file_or_run) {
  if (!std::filesystem::is_directory(file_or_run)) return file_or_run;
  auto file = std::filesystem::path(file_or_run) / "config.yaml";
  if (!std::filesystem::exists(file)) {
    throw ConfigError(fmt::format("{}: is no run's folder: it has no config.yaml", file_or_run));
  }
  return file;
}

/// A line for each key whose values are not the same in all, a column for each configuration.
std::string differences_table(const std::vector<std::string>& names,
                              const std::vector<config::AnyConfig>& configs) {
  std::vector<config::FlatConfig> flat;
  for (const auto& config : configs) flat.push_back(config::flatten(config.schema));
  std::vector<std::vector<std::string>> lines = {{"key"}};
  lines.front().insert(lines.front().end(), names.begin(), names.end());
  for (const auto& field : configs.front().schema.fields) {
    std::vector<std::string> line = {field.key};
    for (const auto& values : flat) line.push_back(values.at(field.key));
    if (std::any_of(line.begin() + 2, line.end(),
                    [&](const auto& value) { return value != line[1]; }))
      lines.push_back(std::move(line));
  }
  return lines.size() > 1 ? aligned(lines) : std::string();
}

ExitCode diff(const Arguments& arguments) {
  auto names = arguments.list("RIGHT");
  names.insert(names.begin(), arguments.text("LEFT"));
  const auto& stage = stage_for(arguments, file_of(names.front()), {});
  std::vector<config::AnyConfig> configs;
  for (const auto& name : names) configs.push_back(stage.load(file_of(name), {}, kWithGaps));
  print(configs.size() == 2 ? config::difference(configs.front().schema, configs.back().schema)
                            : differences_table(names, configs));
  return ExitCode::kDone;
}

Option stage_option() {
  std::vector<std::string> choices = {kAuto};
  for (const auto& stage : config::stages()) choices.push_back(stage.name);
  return {.name = "--stage",
          .value = "STAGE",
          .meaning = "the command that the configuration is for; auto: told by its keys",
          .default_value = kAuto,
          .choices = choices};
}

Command show_command(const std::vector<std::string>& keys) {
  return {.name = "show",
          .summary = "prints a configuration, resolved: every key with its value",
          .description = "What still has to be given reads ???.",
          .options = {stage_option()},
          .config_keys = keys,
          .examples = {{"config show --config lrs3.yaml",
                        "the recipe of RAVEn Base on LRS3, with all defaults"},
                       {"config show --config lrs3.yaml optimizer.lr=1e-3 mask.audio_prob=0.4",
                        "the same with two keys changed"}},
          .run = show};
}

Command describe_command() {
  return {.name = "describe",
          .summary = "tells what keys there are: type, default, range and meaning",
          .description = "",
          .positionals = {{.name = "KEY",
                           .meaning = "only these keys or groups",
                           .kind = ValueKind::kText,
                           .required = false,
                           .repeated = true}},
          .options = {stage_option(),
                      {.name = "--markdown", .value = "", .meaning = "as configs/REFERENCE.md"}},
          .examples = {{"config describe mask optimizer.lr", "one group and one key"},
                       {"config describe --markdown", "the whole reference"}},
          .run = describe};
}

Command check_command(const std::vector<std::string>& keys) {
  return {
      .name = "check",
      .summary = "reads a configuration as a run would, and says what is wrong with it",
      .description =
          "Looks for the files that it names too; relative paths follow the working "
          "folder.",
      .options = {stage_option(),
                  {.name = "--keys",
                   .value = "",
                   .meaning = "only keys and values, not whether the files are there"}},
      .config_keys = keys,
      .examples = {{"config check --config my.yaml run.dir=runs/a", "before a long run is queued"},
                   {"config check --config runs/a/config.yaml", "a resolved file"}},
      .run = check};
}

Command diff_command() {
  return {
      .name = "diff",
      .summary = "prints the keys in which configurations differ",
      .description =
          "One line for each: key, value on the left, value on the right; of more than "
          "two a table. Of runs the configurations that they were trained with.",
      .positionals = {{.name = "LEFT", .meaning = "configuration file, or a run's folder"},
                      {.name = "RIGHT",
                       .meaning = "configuration file, or a run's folder",
                       .repeated = true}},
      .options = {stage_option()},
      .examples = {{"config diff lrs3.yaml braven_base_lrs3.yaml", "what makes BRAVEn of RAVEn"},
                   {"config diff runs/a runs/b runs/c", "how three runs differ"}},
      .run = diff};
}

}  // namespace

Command make_config_command() {
  const auto keys = config::all_keys();
  return {
      .name = "config",
      .summary = "shows, describes, checks and compares configurations",
      .description = "",
      .examples = {{"config show --config lrs3.yaml", "a recipe, resolved"},
                   {"config describe mask", "the keys of a group"}},
      .children = {show_command(keys), describe_command(), check_command(keys), diff_command()}};
}

}  // namespace raven::cli
