#include <spdlog/fmt/fmt.h>

#include <cstdio>

#include "cli/commands.h"
#include "cli/print.h"
#include "raven/config/pretrain_config.h"
#include "raven/config/reference.h"
#include "raven/config/stages.h"
#include "raven/core/error.h"

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
  stage.load(file, arguments.overrides(), {});
  print(fmt::format("{}: fine\n", file.empty() ? "defaults" : file.string()));
  return ExitCode::kDone;
}

ExitCode diff(const Arguments& arguments) {
  const auto& stage = stage_for(arguments, arguments.path("LEFT"), {});
  const auto left = stage.load(arguments.path("LEFT"), {}, kWithGaps);
  const auto right = stage.load(arguments.path("RIGHT"), {}, kWithGaps);
  print(config::difference(left.schema, right.schema));
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
      .description = "",
      .options = {stage_option()},
      .config_keys = keys,
      .examples = {{"config check --config my.yaml run.dir=runs/a", "before a long run is queued"},
                   {"config check --config runs/a/config.yaml", "a resolved file"}},
      .run = check};
}

Command diff_command() {
  return {
      .name = "diff",
      .summary = "prints the keys in which two configurations differ",
      .description = "One line for each: key, value on the left, value on the right.",
      .positionals = {{.name = "LEFT", .meaning = "configuration file"},
                      {.name = "RIGHT", .meaning = "configuration file"}},
      .options = {stage_option()},
      .examples = {{"config diff lrs3.yaml braven_base_lrs3.yaml", "what makes BRAVEn of RAVEn"},
                   {"config diff runs/a/config.yaml runs/b/config.yaml", "how two runs differ"}},
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
