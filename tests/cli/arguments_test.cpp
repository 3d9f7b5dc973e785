#include <gmock/gmock.h>

#include "cli/command.h"
#include "raven/core/error.h"
#include "raven/core/home.h"

namespace raven::cli {
namespace {

using testing::ElementsAre;

Command sample() {
  return {.name = "try",
          .summary = "",
          .description = "",
          .positionals = {{.name = "MODE", .meaning = "how", .choices = {"fast", "slow"}},
                          {.name = "FILE", .meaning = "what", .required = false, .repeated = true}},
          .options = {
              {.name = "--out", .value = "DIR", .meaning = "where", .required = true},
              {.name = "--count",
               .value = "N",
               .meaning = "how many",
               .kind = ValueKind::kInteger,
               .default_value = "3",
               .range = config::at_least(1)},
              {.name = "--rate", .value = "X", .meaning = "how quick", .kind = ValueKind::kNumber},
              {.name = "--json", .value = "", .meaning = "for programs"}}};
}

Command configured() {
  return {.name = "train", .summary = "", .description = "", .config_keys = {"mask.prob", "seed"}};
}

Arguments parse(const Command& command, const std::vector<std::string>& arguments) {
  return parse_arguments(command, command.name, arguments);
}

std::string complaint(const Command& command, const std::vector<std::string>& arguments) {
  try {
    parse(command, arguments);
    return "";
  } catch (const ConfigError& error) {
    return error.what();
  }
}

TEST(Arguments, ReadsOptionsAndPositionals) {
  const auto arguments =
      parse(sample(), {"fast", "--out", "a b", "x", "--count=7", "y", "--json", "--rate", "1e-3"});
  EXPECT_EQ(arguments.text("MODE"), "fast");
  EXPECT_EQ(arguments.path("--out"), "a b");
  EXPECT_EQ(arguments.integer("--count"), 7);
  EXPECT_DOUBLE_EQ(arguments.number("--rate"), 1e-3);
  EXPECT_TRUE(arguments.flag("--json"));
  EXPECT_THAT(arguments.list("FILE"), ElementsAre("x", "y"));
}

TEST(Arguments, FallsBackToDefaults) {
  const auto arguments = parse(sample(), {"slow", "--out", "d"});
  EXPECT_EQ(arguments.integer("--count"), 3);
  EXPECT_FALSE(arguments.given("--count"));
  EXPECT_FALSE(arguments.flag("--json"));
  EXPECT_TRUE(arguments.list("FILE").empty());
  EXPECT_EQ(arguments.text("--log-level"), "info");
}

TEST(Arguments, TakesConfigurationAndOverrides) {
  const auto arguments = parse(configured(), {"mask.prob=0.4", "--config", "a.yaml", "~seed",
                                              "+mask.prob=[1, 2]", "seed=-1"});
  EXPECT_EQ(arguments.config_file(), "a.yaml");
  EXPECT_THAT(arguments.overrides(),
              ElementsAre("mask.prob=0.4", "~seed", "+mask.prob=[1, 2]", "seed=-1"));
}

TEST(Arguments, TellsOverridesFromFilesByTheirEqualsSign) {
  auto command = configured();
  command.positionals = {{.name = "FILE", .meaning = "what", .required = false, .repeated = true}};
  const auto arguments =
      parse(command, {"a.mp4", "seed=3", "./x=1.mp4", "+mask.prob=1", "~seed", "~/b.mp4", "=c"});
  EXPECT_THAT(arguments.list("FILE"),
              ElementsAre("a.mp4", "./x=1.mp4", expand_home("~/b.mp4"), "=c"));
  EXPECT_THAT(arguments.overrides(), ElementsAre("seed=3", "+mask.prob=1", "~seed"));
  EXPECT_FALSE(parse(command, {"seed=3"}).given("FILE"));
  EXPECT_TRUE(parse(command, {"a"}).overrides().empty());
}

TEST(Arguments, NamesWhatIsWrong) {
  const std::string see = "; see 'raven try --help'";
  EXPECT_EQ(complaint(sample(), {"fast"}), "raven try: --out DIR must be given (where)" + see);
  EXPECT_EQ(complaint(sample(), {"--out", "d"}), "raven try: MODE must be given (how)" + see);
  EXPECT_EQ(complaint(sample(), {"fats", "--out", "d"}),
            "raven try: MODE is 'fats', expected one of: fast, slow; did you mean 'fast'?" + see);
  EXPECT_EQ(complaint(sample(), {"fast", "--out", "d", "--count", "0"}),
            "raven try: --count is 0, expected at least 1 (how many)" + see);
  EXPECT_EQ(complaint(sample(), {"fast", "--out", "d", "--count", "many"}),
            "raven try: --count is 'many', expected a whole number" + see);
  EXPECT_EQ(complaint(sample(), {"fast", "--out", "d", "--rate", "quick"}),
            "raven try: --rate is 'quick', expected a number" + see);
  EXPECT_EQ(complaint(sample(), {"fast", "--out", "d", "--cuont", "1"}),
            "raven try: unknown option '--cuont'; did you mean '--count'?" + see);
  EXPECT_EQ(complaint(sample(), {"fast", "--out"}), "raven try: --out takes one value, once" + see);
  EXPECT_EQ(complaint(sample(), {"fast", "--out", "d", "--out", "e"}),
            "raven try: --out takes one value, once" + see);
  EXPECT_EQ(complaint({.name = "none", .summary = "", .description = ""}, {"x"}),
            "raven none: unexpected argument 'x'; see 'raven none --help'");
  EXPECT_EQ(
      complaint(sample(), {"fast", "--out", "d", "--log-level", "loud"}),
      "raven try: --log-level is 'loud', expected one of: trace, debug, info, warn, error, off" +
          see);
}

}  // namespace
}  // namespace raven::cli
