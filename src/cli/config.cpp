#include <spdlog/fmt/fmt.h>

#include <cstdio>

#include "commands.h"
#include "raven/config/load.h"
#include "raven/config/pretrain_config.h"
#include "raven/config/reference.h"
#include "raven/core/error.h"

namespace raven::cli {
namespace {

using config::PretrainConfig;

constexpr config::LoadOptions kWithGaps = {.allow_missing = true};

ExitCode show(const Arguments& arguments) {
  const auto resolved =
      config::load<PretrainConfig>(arguments.config_file(), arguments.overrides(), kWithGaps);
  fmt::print("{}", resolved.yaml);
  return ExitCode::kDone;
}

ExitCode describe(const Arguments& arguments) {
  PretrainConfig defaults;
  const config::Schema schema = config::bind(defaults);
  if (!arguments.flag("--markdown")) {
    fmt::print("{}", config::describe(schema, arguments.list("KEY")));
  } else if (arguments.given("KEY")) {
    throw ConfigError("raven config describe: --markdown writes all keys, expected no KEY with it");
  } else {
    fmt::print("{}", config::reference_markdown(schema));
  }
  return ExitCode::kDone;
}

ExitCode check(const Arguments& arguments) {
  config::load<PretrainConfig>(arguments.config_file(), arguments.overrides());
  const std::string name = arguments.config_file().string();
  fmt::print("{}: fine\n", name.empty() ? "defaults" : name);
  return ExitCode::kDone;
}

ExitCode diff(const Arguments& arguments) {
  auto left = config::load<PretrainConfig>(arguments.path("LEFT"), {}, kWithGaps);
  auto right = config::load<PretrainConfig>(arguments.path("RIGHT"), {}, kWithGaps);
  fmt::print("{}", config::difference(config::bind(left.config), config::bind(right.config)));
  return ExitCode::kDone;
}

Command show_command(const std::vector<std::string>& keys) {
  return {.name = "show",
          .summary = "prints a configuration, resolved: every key with its value",
          .description = "What still has to be given reads ???.",
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
          .options = {{.name = "--markdown", .value = "", .meaning = "as configs/REFERENCE.md"}},
          .examples = {{"config describe mask optimizer.lr", "one group and one key"},
                       {"config describe --markdown", "the whole reference"}},
          .run = describe};
}

Command check_command(const std::vector<std::string>& keys) {
  return {
      .name = "check",
      .summary = "reads a configuration as a run would, and says what is wrong with it",
      .description = "",
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
      .examples = {{"config diff lrs3.yaml braven_base_lrs3.yaml", "what makes BRAVEn of RAVEn"},
                   {"config diff runs/a/config.yaml runs/b/config.yaml", "how two runs differ"}},
      .run = diff};
}

}  // namespace

Command make_config_command() {
  const auto keys = keys_of<PretrainConfig>();
  return {
      .name = "config",
      .summary = "shows, describes, checks and compares configurations",
      .description = "",
      .examples = {{"config show --config lrs3.yaml", "a recipe, resolved"},
                   {"config describe mask", "the keys of a group"}},
      .children = {show_command(keys), describe_command(), check_command(keys), diff_command()}};
}

}  // namespace raven::cli
