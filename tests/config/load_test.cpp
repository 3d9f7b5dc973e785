#include "raven/config/load.h"

#include <gmock/gmock.h>

#include <fstream>

#include "config/tiny_config.h"
#include "support/temporary_folder.h"

namespace raven::config {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

void write(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

std::string load_complaint(const std::filesystem::path& file) {
  try {
    load<TinyConfig>(file, {}, {.allow_missing = true});
    return "";
  } catch (const ConfigError& error) {
    return error.what();
  }
}

TEST(Load, ReadsEveryKindOfField) {
  const auto config = tiny(
      "dir: runs/a\nseed: 7\nlr: 1e-4\ncolour: green\nwidths: [1, 2, 3]\nfiles: [a.tsv, 'b "
      "c.tsv']\n"
      "inner:\n  mask: {prob: 0.4, length: 5}\n  loud: true\n");
  EXPECT_EQ(config.dir, "runs/a");
  EXPECT_EQ(config.seed, 7);
  EXPECT_DOUBLE_EQ(config.lr, 1e-4);
  EXPECT_EQ(config.colour, Colour::kGreen);
  EXPECT_EQ(config.widths, (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(config.files, (std::vector<std::string>{"a.tsv", "b c.tsv"}));
  EXPECT_DOUBLE_EQ(config.inner.mask.prob, 0.4);
  EXPECT_EQ(config.inner.mask.length, 5);
  EXPECT_TRUE(config.inner.loud);
}

TEST(Load, KeepsDefaultsOfWhatIsNotGiven) {
  const auto config = tiny("inner:\n  mask:\n");
  EXPECT_EQ(config.seed, 42);
  EXPECT_DOUBLE_EQ(config.inner.mask.prob, 0.2);
  EXPECT_FALSE(config.inner.mask.length.has_value());
}

TEST(Load, GivenDefaultsHoldWhereNothingElseSetsTheKey) {
  const LoadOptions options{.allow_missing = true,
                            .defaults = {"seed=1", "lr=1e-3", "inner.mask.prob=0.7"}};
  const auto config = load_text<TinyConfig>("seed: 2\ninner:\n  mask: {length: 5}\n", "a.yaml",
                                            {"lr=1e-2"}, options)
                          .config;
  EXPECT_EQ(config.seed, 2);
  EXPECT_DOUBLE_EQ(config.lr, 1e-2);
  EXPECT_DOUBLE_EQ(config.inner.mask.prob, 0.7);
  EXPECT_EQ(config.inner.mask.length, 5);
}

TEST(Load, TakesASingleValueAsAListOfOne) {
  EXPECT_EQ(tiny("files: a.tsv").files, (std::vector<std::string>{"a.tsv"}));
}

TEST(Load, NamesPlaceTypeRangeAndMeaning) {
  EXPECT_EQ(complaint("seed: 1\ninner:\n  mask:\n    prob: 1.4\n"),
            "a.yaml:4:11: inner.mask.prob is 1.4, expected a number, a value in [0, 1] (chance "
            "that a frame "
            "starts a span)");
  EXPECT_EQ(
      complaint("seed: many"),
      "a.yaml:1:7: seed is many, expected a whole number, at least 0 (start of random draws)");
  EXPECT_EQ(complaint("inner: {loud: 1}"),
            "a.yaml:1:15: inner.loud is 1, expected true or false (says more)");
  EXPECT_EQ(complaint("colour: gren"),
            "a.yaml:1:9: colour is gren, expected one of: red, green (of the plot); did you mean "
            "'green'?");
  EXPECT_EQ(complaint("widths: [64, 0]"),
            "a.yaml:1:14: widths is 0, expected a list of whole numbers, each a value in [1, 4096] "
            "(channels)");
  EXPECT_EQ(complaint("inner: {mask: {length: 0}}"),
            "a.yaml:1:24: inner.mask.length is 0, expected a whole number, or null, at least 1 "
            "(frames per span; null: three)");
  EXPECT_EQ(complaint("dir:\n"), "a.yaml:1:1: dir is nothing, expected a text (folder of the run)");
  EXPECT_EQ(complaint("inner: 3"), "a.yaml:1:8: inner is a group of keys, not a value");
  EXPECT_EQ(complaint("seed: {a: 1}"),
            "a.yaml:1:7: seed is a group of keys, expected a whole number, at least 0 (start of "
            "random draws)");
}

TEST(Load, RefusesNumbersThatAreNone) {
  for (const char* text :
       {"lr: .nan", "lr: .inf", "lr: 1e999", "lr: 0x10", "lr: '0.1'", "lr: 1,5", "seed: 1.5",
        "seed: 9223372036854775808", "seed: 1e3", "lr: 0", "lr: [1]"}) {
    EXPECT_THAT(complaint(text), HasSubstr("a.yaml:1:")) << text;
  }
}

TEST(Load, RefusesTextsWithControlCharacters) {
  EXPECT_THAT(complaint("dir: \"a\\nb\""), HasSubstr("control characters"));
}

TEST(Load, SuggestsTheNearestKey) {
  EXPECT_EQ(complaint("inner:\n  msak: {}\n"),
            "a.yaml:2:3: unknown key 'inner.msak'; did you mean 'inner.mask'?");
  EXPECT_EQ(complaint("prob: 3\n"),
            "a.yaml:1:1: unknown key 'prob'; did you mean 'inner.mask.prob'?");
  EXPECT_EQ(
      complaint("inner.mask.prob: 0.3\n"),
      "a.yaml:1:1: unknown key 'inner.mask.prob'; in a file keys are nested, not joined by dots");
}

TEST(Load, ReportsAllProblemsAtOnce) {
  EXPECT_EQ(complaint("seed: x\nlr: y\n"),
            "a.yaml:1:7: seed is x, expected a whole number, at least 0 (start of random draws)\n"
            "a.yaml:2:5: lr is y, expected a number, above 0 (step size)");
}

TEST(Load, DemandsRequiredValues) {
  const auto message = [](const std::string& text) {
    try {
      load_text<TinyConfig>(text, "a.yaml");
      return std::string();
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
  };
  EXPECT_EQ(
      message("seed: 1"),
      "a.yaml: dir must be given (folder of the run); for example on the command line: dir=...");
  EXPECT_THAT(message("seed: 1\ndir: ???\n"), HasSubstr("a.yaml:2:6: dir must be given"));
  EXPECT_EQ(message("dir: x"), "");
}

TEST(Load, PlacesBrokenYaml) {
  EXPECT_THAT(complaint("seed: 1\nlr: [1\n"), HasSubstr("a.yaml:"));
  EXPECT_THAT(complaint("seed: 1\nlr: [1\n"), HasSubstr("not valid YAML"));
  EXPECT_EQ(complaint("seed: 1\nlr: 2\nseed: 3\n"),
            "a.yaml:3:1: key 'seed' is given twice; first in line 1");
  EXPECT_THAT(complaint("- 1\n- 2\n"), HasSubstr("a.yaml:1:1: expected keys and values"));
}

TEST(Load, NamesWhatIsNotClosed) {
  const auto told = [](const std::string& text) { return complaint("seed: 1\n" + text); };
  const std::string bracket = "not valid YAML: the bracket ";
  EXPECT_EQ(told("files: [a, b\nlr: 2\n"),
            "a.yaml:2:8: " + bracket + "'[' is not closed: ']' is missing");
  EXPECT_EQ(told("inner: {mask: {prob: 1}\nlr: 2\n"),
            "a.yaml:2:8: " + bracket + "'{' is not closed: '}' is missing");
  EXPECT_EQ(told("files: [a]]\n"), "a.yaml:2:11: " + bracket + "']' closes nothing");
  // Quotes that the parser takes for closed at the end of the file, and those that it does not.
  EXPECT_EQ(told("dir: \"a\nlr: 2\n"), "a.yaml:2:6: not valid YAML: the quote \" is not closed");
  EXPECT_EQ(told("inner: {mask: 'a}\n"), "a.yaml:2:15: not valid YAML: the quote ' is not closed");
  // What is closed, or is no quote or bracket at all, is no fault.
  for (const char* text : {"dir: it's\n", "dir: 'it''s'\n", "dir: \"a\\\"b\"\n", "dir: a[1\n",
                           "dir: a  # it's [\n", "files: [\"[\", ']', it's]\n"})
    EXPECT_EQ(told(text), "") << text;
}

TEST(Load, WhatHoldsAloneHoldsWhereNothingLiesBelow) {
  const TemporaryFolder folder;
  write(folder.path() / "whole.yaml", "seed: 1\nlr: 0.5\ndir: a\n");
  write(folder.path() / "change.yaml", "alone: {base: whole.yaml, dir: b}\nlr: 0.9\n");
  write(folder.path() / "mine.yaml", "dir: mine\nseed: 7\n");
  write(folder.path() / "both.yaml", "base: [mine.yaml, change.yaml]\n");
  write(folder.path() / "single.yaml", "base: change.yaml\nseed: 2\n");
  const auto read = [&](const char* name, const std::vector<std::string>& overrides = {}) {
    return load<TinyConfig>(folder.path() / name, overrides).config;
  };
  const auto alone = read("change.yaml"), both = read("both.yaml"), single = read("single.yaml");
  EXPECT_EQ(std::tuple(alone.dir, alone.seed, alone.lr), std::tuple("b", 1, 0.9));
  EXPECT_EQ(std::tuple(both.dir, both.seed, both.lr), std::tuple("mine", 7, 0.9));
  EXPECT_EQ(std::tuple(single.dir, single.seed, single.lr), std::tuple("b", 2, 0.9));
  // Overrides hold in their order.
  const auto over = "over=" + (folder.path() / "change.yaml").string();
  const auto laid = read("mine.yaml", {over}), after = read("mine.yaml", {over, "lr=2"}),
             before = read("mine.yaml", {"lr=2", over});
  EXPECT_EQ(std::tuple(laid.dir, laid.seed, laid.lr), std::tuple("mine", 7, 0.9));
  EXPECT_DOUBLE_EQ(after.lr, 2);
  EXPECT_DOUBLE_EQ(before.lr, 0.9);
}

TEST(Load, TellsWhatAloneAndOverExpect) {
  EXPECT_THAT(complaint("seed: 1\nalone: other.yaml\n"),
              HasSubstr("a.yaml:2:8: alone expects keys and values"));
  EXPECT_THAT(complaint("", {"over=none.yaml"}),
              HasSubstr("none.yaml: no such configuration file"));
  EXPECT_THAT(complaint("", {"over={a: 1}"}), HasSubstr("over expects a file name"));
}

TEST(Load, CallsTabsTabs) {
  for (const auto& [text, place] : std::vector<std::pair<const char*, const char*>>{
           {"inner:\n\tmask: {}\n", "a.yaml:2:6: "},
           {"seed: 1\n\tlr: 2\n", "a.yaml:2:1: "},
           {"widths:\n\t- 1\n", "a.yaml:2:2: "},
           {"inner:\n  mask:\n  \t  prob: 1\n", "a.yaml:3:10: "}}) {
    EXPECT_THAT(complaint(text), HasSubstr(place)) << text;
    EXPECT_THAT(complaint(text), HasSubstr("; the line is indented with tabs, which")) << text;
  }
  EXPECT_EQ(complaint("widths: [\n\t1,\n\t2]\n"), complaint("widths: [1, 2]\n"));
  // Another fault on such a line is told as well.
  EXPECT_THAT(
      complaint("widths: [\n\t1,\n\t2}\n"),
      StartsWith("a.yaml:3:3: not valid YAML: the bracket '}' stands where ']' is expected; "));
}

TEST(Load, LinesMayEndInCarriageReturns) {
  const auto config = tiny("# settings\rseed: 7\rinner:\r  mask:\r    prob: 0.4\r");
  EXPECT_EQ(config.seed, 7);
  EXPECT_DOUBLE_EQ(config.inner.mask.prob, 0.4);
  EXPECT_EQ(tiny("seed: 7\r\ninner:\r\n  loud: true\r\n").seed, 7);
}

TEST(Load, ReadsBasesFirst) {
  const TemporaryFolder folder;
  write(folder.path() / "base.yaml", "seed: 1\nlr: 0.5\ninner: {mask: {prob: 0.1, length: 2}}\n");
  write(folder.path() / "sub/second.yaml", "base: ../base.yaml\nlr: 0.6\n");
  write(folder.path() / "top.yaml",
        "base: [base.yaml, sub/second.yaml]\ninner: {mask: {prob: 0.9}}\nwidths: [1]\n");
  const auto config =
      load<TinyConfig>(folder.path() / "top.yaml", {}, {.allow_missing = true}).config;
  EXPECT_EQ(config.seed, 1);
  EXPECT_DOUBLE_EQ(config.lr, 0.6);
  EXPECT_DOUBLE_EQ(config.inner.mask.prob, 0.9);
  EXPECT_EQ(config.inner.mask.length, 2);
  EXPECT_EQ(config.widths, (std::vector<std::int64_t>{1}));
}

TEST(Load, NamesTheBaseInWhichAnErrorStands) {
  const TemporaryFolder folder;
  write(folder.path() / "base.yaml", "\nseed: x\n");
  write(folder.path() / "top.yaml", "base: base.yaml\n");
  EXPECT_THAT(load_complaint(folder.path() / "top.yaml"), HasSubstr("base.yaml:2:7: seed is x"));
}

TEST(Load, RefusesMissingAndCircularBases) {
  const TemporaryFolder folder;
  write(folder.path() / "a.yaml", "base: b.yaml\n");
  write(folder.path() / "b.yaml", "base: ./a.yaml\n");
  write(folder.path() / "c.yaml", "seed: 1\nbase: none.yaml\n");
  write(folder.path() / "d.yaml", "base: [{a: 1}]\n");
  EXPECT_THAT(load_complaint(folder.path() / "a.yaml"), HasSubstr("is its own base"));
  EXPECT_THAT(load_complaint(folder.path() / "c.yaml"),
              HasSubstr("c.yaml:2:7: base none.yaml: no such configuration file"));
  EXPECT_THAT(load_complaint(folder.path() / "d.yaml"),
              HasSubstr("d.yaml:1:8: base expects a file name"));
}

TEST(Load, RefusesBasesThatAreNoFiles) {
  const TemporaryFolder folder;
  write(folder.path() / "a.yaml", "base: /dev/zero\n");
  write(folder.path() / "b.yaml", "base: .\n");
  EXPECT_THAT(load_complaint(folder.path() / "a.yaml"), HasSubstr("is not a regular file"));
  EXPECT_THAT(load_complaint(folder.path() / "b.yaml"), HasSubstr("b.yaml:1:7: base .: no such"));
}

TEST(Load, BoundsTheNumberOfBases) {
  const TemporaryFolder folder;
  write(folder.path() / "leaf.yaml", "seed: 1\n");
  std::string below = "leaf.yaml";
  for (int level = 0; level < 8; ++level) {  // 8 levels of 8 would be 16 million files
    std::string list = "base: [";
    for (int i = 0; i < 8; ++i) list += below + ", ";
    below = "level" + std::to_string(level) + ".yaml";
    write(folder.path() / below, list + "]\n");
  }
  EXPECT_THAT(load_complaint(folder.path() / below), HasSubstr("more than 64 base files"));
}

TEST(Load, FindsBareNamesInTheConfigsFolder) {
  const TemporaryFolder folder;
  write(folder.path() / "model/large.yaml", "seed: 11\n");
  write(folder.path() / "top.yaml", "base: model/large\n");
  setenv("RAVEN_CONFIGS", folder.path().c_str(), 1);
  EXPECT_EQ(load<TinyConfig>("top.yaml", {}, {.allow_missing = true}).config.seed, 11);
  EXPECT_EQ(load<TinyConfig>("model/large", {}, {.allow_missing = true}).config.seed, 11);
  EXPECT_THAT(load_complaint("tpo.yaml"), HasSubstr("did you mean 'top.yaml'?"));
  unsetenv("RAVEN_CONFIGS");
  EXPECT_THAT(load_complaint("top.yaml"), HasSubstr("top.yaml: no such configuration file"));
}

TEST(Load, ResolvedTextReadsBackToTheSameBytes) {
  const auto first = load_text<TinyConfig>(
      "dir: 'runs/${seed} a: #b'\nlr: 0.1\nwidths: []\nfiles: ['1.0', 'null', '$${x}', 'ü', "
      "\"q\\\"\\\\\"]\n",
      "a.yaml", {"inner.mask.length=4"});
  const auto second = load_text<TinyConfig>(first.yaml, "resolved");
  EXPECT_EQ(first.yaml, second.yaml);
  EXPECT_EQ(second.config.dir, "runs/42 a: #b");
  EXPECT_EQ(second.config.files, (std::vector<std::string>{"1.0", "null", "${x}", "ü", "q\"\\"}));
  EXPECT_TRUE(second.config.widths.empty());
}

TEST(Load, WritesEachFieldOnce) {
  TinyConfig config;
  config.dir = "runs/a";
  EXPECT_EQ(to_yaml(config),
            "dir: runs/a\nseed: 42\nlr: 0.003\ncolour: red\nwidths: [64, 128]\nfiles: []\n"
            "inner:\n  mask:\n    prob: 0.2\n    length: null\n  loud: false\n");
}

TEST(Load, WritesNumbersThatReadBackExactly) {
  for (const double lr :
       {1.0 / 3, 1e-300, 5e-324, 1.7976931348623157e308, 0.1, 1e22, 123456789.0}) {
    TinyConfig config;
    config.dir = "x";
    config.lr = lr;
    EXPECT_EQ(load_text<TinyConfig>(to_yaml(config)).config.lr, lr);
  }
}

}  // namespace
}  // namespace raven::config
