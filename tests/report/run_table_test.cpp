#include "raven/report/run_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/report/page.h"
#include "report/labels.h"
#include "report/make_run.h"
#include "support/temporary_folder.h"

namespace raven::report {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Json = nlohmann::ordered_json;

class RunTables : public testing::Test {
 protected:
  using Settings = std::map<std::string, std::string>;
  using Numbers = std::map<std::string, double>;

  /// A run that has reached `step` of 100 steps.
  fs::path run(const std::string& name, const Settings& settings, const Numbers& numbers,
               int step = 100) const {
    const auto folder = temporary_.path() / name;
    auto config = settings;
    config["run.dir"] = name;
    config.emplace("run.seed", "1");
    config.emplace("mask.prob", "0.2");
    write(folder / "config.json", Json(config).dump());
    write(folder / "environment.json", Json({{"stage", "pretrain"}, {"steps", "100"}}).dump());
    Json first = {{"step", 0}}, line = {{"step", step}};
    for (const auto& [key, value] : numbers) {
      first[key] = 9;
      line[key] = value;
    }
    write(folder / "metrics.jsonl", first.dump() + "\n" + line.dump() + "\n");
    return folder;
  }

  /// The set "test" of ten utterances of four words; errors of each.
  static void evaluate(const fs::path& run, const std::vector<int>& errors,
                       const std::string& reference = "A B C D") {
    std::string lines;
    int sum = 0;
    for (std::size_t i = 0; i < errors.size(); ++i) {
      sum += errors[i];
      lines += Json({{"id", "u" + std::to_string(i)},
                     {"ref", reference},
                     {"hyp", "A"},
                     {"words", 4},
                     {"substitutions", errors[i]},
                     {"deletions", 0},
                     {"insertions", 0}})
                   .dump() +
               "\n";
    }
    const auto folder = run / "evaluate/test";
    write(folder / "utterances.jsonl", lines);
    const auto words = 4.0 * static_cast<double>(errors.size());
    write(folder / "wer.json", Json({{"wer", sum / words},
                                     {"cer", sum / words / 2},
                                     {"words", words},
                                     {"utterances", errors.size()}})
                                   .dump());
  }

  TemporaryFolder temporary_;
};

TEST_F(RunTables, PutSeedsTogetherAndShowWhatDiffers) {
  const auto a1 = run("a-seed_1", {{"threads", "1"}}, {{"valid_loss", 1}, {"probe_r2_video", 0.2}}),
             a2 = run("a-seed_2", {{"run.seed", "2"}, {"threads", "2"}},
                      {{"valid_loss", 2}, {"probe_r2_video", 0.4}}),
             b1 = run("b", {{"mask.prob", "0.4"}}, {{"valid_loss", 3}, {"probe_r2_video", 0.1}});
  const auto table = run_table({a1, a2, b1});
  EXPECT_THAT(table.settings, ElementsAre("mask.prob"));  // neither seed nor threads
  EXPECT_THAT(table.numbers, ElementsAre("valid_loss", "probe_r2_video"));
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(table.rows[0].name, "a-seed_*");
  EXPECT_THAT(table.rows[0].values, ElementsAre("0.2"));
  EXPECT_DOUBLE_EQ(table.rows[0].numbers.at("valid_loss").mean, 1.5);
  EXPECT_EQ(table.rows[0].numbers.at("valid_loss").n, 2);
  const auto text = to_text(table);
  EXPECT_THAT(text,
              HasSubstr("run       mask.prob  runs     valid_loss  probe_r2_video\n"
                        "a-seed_*        0.2     2  1.500 \xC2\xB1 0.707   0.300 \xC2\xB1 0.141\n"
                        "b               0.4     1          3.000           0.100\n"));
  EXPECT_THAT(text, HasSubstr("note: one run alone: b; "));
}

TEST_F(RunTables, PutTogetherByOtherKeys) {
  const auto a = run("a", {}, {{"loss", 1}}), b = run("b", {{"run.seed", "2"}}, {{"loss", 2}}),
             c = run("c", {{"run.seed", "3"}, {"model.init", "x"}}, {{"loss", 3}}),
             d = run("d", {{"run.seed", "4"}, {"model.init", "y"}}, {{"loss", 4}});
  EXPECT_EQ(run_table({a, b, c, d}).rows.size(), 3U);
  EXPECT_EQ(run_table({c, d}, {.by = {"run.seed", "model.init"}}).rows.size(), 1U);
  EXPECT_EQ(run_table({a, b}, {.by = {}}).rows.size(), 2U);
  EXPECT_THAT(run_table({a, b}, {.by = {}}).settings, ElementsAre("run.seed"));
}

TEST_F(RunTables, SayWhichRunsLackNumbers) {
  const auto whole = run("whole", {}, {{"valid_loss", 1}}),
             killed = run("killed", {{"run.seed", "2"}}, {{"valid_loss", 5}}, 40),
             other = run("other", {{"mask.prob", "0.4"}}, {{"loss", 3}});
  evaluate(whole, {1, 1});
  const auto table = run_table({whole, killed, other});
  EXPECT_THAT(table.numbers, ElementsAre("WER test", "CER test", "valid_loss"));
  EXPECT_DOUBLE_EQ(table.rows[0].numbers.at("valid_loss").mean, 1);  // without the killed one
  EXPECT_EQ(runs_of_row(table.rows[0]), "1 of 2");
  EXPECT_EQ(cell_of(table.rows[1], "WER test"), "-");
  EXPECT_THAT(table.remarks,
              Contains(HasSubstr("killed: at step 40 of 100, running still or stopped; left out")));
  EXPECT_THAT(table.remarks, Contains("WER test: none of other (not evaluated)"));
  const auto so_far = run_table({whole, killed, other}, {.so_far = true});
  EXPECT_DOUBLE_EQ(so_far.rows[0].numbers.at("valid_loss").mean, 3);
  EXPECT_EQ(cell_of(so_far.rows[0], "WER test"), "25.0 (n=1)");
  EXPECT_THAT(so_far.remarks, Contains("killed: at step 40 of 100, its numbers are those so far"));
}

TEST_F(RunTables, ARunWithoutItsSettingsHasItsOwnRow) {
  const auto a = run("a", {}, {{"loss", 1}}), b = run("b", {}, {{"loss", 2}}),
             c = run("c", {}, {{"loss", 3}});
  fs::remove(b / "config.json");
  fs::remove(c / "metrics.jsonl");
  const auto table = run_table({a, b, c});
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(table.rows[1].name, "b");
  EXPECT_THAT(table.remarks, Contains(HasSubstr("config.json is missing")));
  EXPECT_THAT(table.remarks, Contains("c: metrics.jsonl is missing"));
  EXPECT_THAT(table.remarks, Contains(HasSubstr("c: no steps reported")));
  EXPECT_THAT(table.remarks, Contains("a and c have the same settings, seed included"));
  EXPECT_THROW(run_table({temporary_.path() / "none"}), ConfigError);
}

TEST_F(RunTables, RunsOnOtherDataShareNoRow) {
  const auto a = run("a", {}, {{"loss", 1}}), b = run("b", {{"run.seed", "2"}}, {{"loss", 2}});
  write(b / "environment.json",
        Json({{"stage", "pretrain"}, {"steps", "100"}, {"data_hash", "other"}}).dump());
  const auto table = run_table({a, b});
  EXPECT_EQ(table.rows.size(), 2U);
  EXPECT_THAT(
      table.remarks,
      Contains(HasSubstr("a and b have the same settings, but were trained on other data")));
}

TEST_F(RunTables, RemarkWhatMayNotBeCompared) {
  const Numbers numbers = {{"valid_loss", 1}, {"valid_gain_v2a", 0.2}, {"probe_r2_video", 0.1}};
  const auto a = run("a", {}, numbers);
  const auto remarks_with = [&](const Settings& settings) {
    auto first = settings;
    for (auto& [key, value] : first) value = "first";
    return run_table({run("first", first, numbers), run("other", settings, numbers)}).remarks;
  };
  for (const char* key : {"mask.length", "teacher.target", "model.predictors.v2a.kind"}) {
    EXPECT_THAT(
        remarks_with({{key, "x"}}),
        Contains(HasSubstr(std::string("gains of rows that differ in ") + key + " may not")));
    EXPECT_THAT(remarks_with({{key, "x"}}), Contains(HasSubstr("losses of rows that differ in ")));
    EXPECT_THAT(remarks_with({{key, "x"}}), Not(Contains(HasSubstr("probes of rows"))));
  }
  EXPECT_THAT(remarks_with({{"loss.a2a", "2"}}),
              Contains(HasSubstr("losses of rows that differ in loss.a2a")));
  EXPECT_THAT(remarks_with({{"loss.a2a", "2"}}), Not(Contains(HasSubstr("gains of rows"))));
  EXPECT_THAT(remarks_with({{"data.valid_manifest", "x"}}),
              Contains(HasSubstr("they are of other clips")));
  EXPECT_THAT(remarks_with({{"optimizer.lr", "1"}}),
              Not(Contains(HasSubstr("may not be compared"))));
  const auto b = run("b", {{"run.seed", "2"}}, numbers);
  evaluate(a, {1, 1, 0});
  evaluate(b, {1, 1});
  EXPECT_THAT(
      run_table({a, b}).remarks,
      Contains("the set test is not the same in all runs: a has 3 utterances with 12 words; "
               "b has 2 utterances with 8 words"));
}

TEST_F(RunTables, TestAgainstTheBaseOverSeedsAndUtterances) {
  std::vector<fs::path> all;
  // Over seeds: differences 0.1 and 0.3, so t is 0.2 / (0.1414 / sqrt(2)) = 2, p of one degree of
  // freedom 1 - 2 atan(2) / pi = 0.2952.
  const double probes[2][2] = {{0.1, 0.2}, {0.2, 0.5}};
  for (int row = 0; row < 2; ++row) {
    for (int seed = 1; seed <= 2; ++seed) {
      all.push_back(
          run((row == 0 ? "a-seed_" : "b-seed_") + std::to_string(seed),
              {{"run.seed", std::to_string(seed)}, {"mask.prob", row == 0 ? "0.2" : "0.4"}},
              {{"probe_r2_video", probes[row][seed - 1]}}));
      // b makes one error more in nine of ten utterances, whatever the seed.
      auto errors = std::vector<int>(10, 1 + row);
      errors[0] = 1;
      evaluate(all.back(), errors);
    }
  }
  const auto table = run_table(all, {.base = all[0]});
  EXPECT_EQ(table.base, std::optional<std::size_t>(0));
  const auto& against = table.rows[1].against_base;
  EXPECT_EQ(against.at("probe_r2_video").seeds.size(), 2U);
  EXPECT_NEAR(against.at("probe_r2_video").p_seeds.value(), 0.2952, 1e-4);
  EXPECT_FALSE(against.at("probe_r2_video").p_utterances);
  EXPECT_LT(against.at("WER test").p_utterances.value(), 0.001);
  EXPECT_FALSE(against.at("WER test").p_seeds);  // the same difference twice
  EXPECT_THAT(table.rows[0].against_base, IsEmpty());
  const auto text = to_text(table);
  EXPECT_THAT(text, HasSubstr("p utterances"));
  EXPECT_THAT(text, HasSubstr("<0.0001"));
  EXPECT_THAT(text, HasSubstr("base"));
  EXPECT_THAT(run_table({all[0], all[2]}, {.base = all[0]}).remarks,
              Contains(HasSubstr("no test over seeds")));
  EXPECT_THROW(run_table({all[0], all[1]}, {.base = all[2]}), ConfigError);
  // Other words in one utterance: not the same set.
  evaluate(all[3], std::vector<int>(10, 1), "A B C E");
  EXPECT_FALSE(run_table(all, {.base = all[0]}).rows[1].against_base.at("WER test").p_utterances);
}

TEST_F(RunTables, SettingsThatChangeTogetherShareAColumn) {
  const std::string left = "model.predictors.v2a.kind", right = "model.predictors.a2v.kind";
  const auto a = run("a", {{left, "transformer"}, {right, "transformer"}}, {{"loss", 1}}),
             b = run("b", {{left, "mlp"}, {right, "mlp"}}, {{"loss", 2}});
  const auto table = run_table({a, b});
  EXPECT_THAT(to_text(table), HasSubstr("run  model.predictors.*.kind  runs   loss\n"));
  EXPECT_THAT(
      to_csv(table),
      HasSubstr("run,model.predictors.a2v.kind,model.predictors.v2a.kind,runs,done,loss mean,"));
}

TEST_F(RunTables, AreWrittenForPrograms) {
  const auto a = run("a", {{"data.manifest", "[x.tsv, y.tsv]"}}, {{"loss", 0.25}}),
             b = run("b, \"c\"", {{"data.manifest", "a_b|c"}}, {{"loss", 0.5}}),
             c = run("c", {{"data.manifest", "a_b|c"}, {"run.seed", "2"}}, {{"loss", 1}});
  const auto table = run_table({a, b, c});
  EXPECT_EQ(to_csv(table),
            "run,data.manifest,runs,done,loss mean,loss deviation,loss n\n"
            "a,\"[x.tsv, y.tsv]\",1,1,0.25,,1\n"
            "\"b, \"\"c\"\", ...\",a_b|c,2,2,0.75,0.3535533905932738,2\n");
  EXPECT_THAT(to_markdown(table),
              HasSubstr("| run | data.manifest | runs | loss |\n|---|---:|---:|---:|\n"
                        "| a | [x.tsv, y.tsv] | 1 | 0.250 |\n"));
  EXPECT_THAT(to_markdown(table), HasSubstr("a\\_b\\|c"));
  const auto latex = to_latex(table);
  EXPECT_THAT(
      latex,
      HasSubstr("\\begin{tabular}{lrrr}\n\\toprule\nrun & data.manifest & runs & loss \\\\\n"));
  EXPECT_THAT(latex, HasSubstr("a\\_b|c & 2 & 0.750 $\\pm$ 0.354 \\\\\n"));
  EXPECT_THAT(latex, HasSubstr("% one run alone: a;"));
}

TEST_F(RunTables, FindTheRunsOfAFolder) {
  const auto a = run("sweep/a", {}, {}), b = run("sweep/b", {}, {});
  write(temporary_.path() / "sweep/logs/a.txt", "");
  write(temporary_.path() / "sweep/sweep.tsv", "");
  EXPECT_THAT(runs_in({temporary_.path() / "sweep", a}), ElementsAre(a, b, a));
  EXPECT_THAT(runs_in({temporary_.path() / "none"}), ElementsAre(temporary_.path() / "none"));
}

TEST_F(RunTables, StandFirstInAReportWithSeedsAsBands) {
  const auto a1 = run("a-seed_1", {}, {{"valid_loss", 1}}),
             a2 = run("a-seed_2", {{"run.seed", "2"}}, {{"valid_loss", 3}}),
             b = run("b", {{"mask.prob", "0.4"}}, {{"valid_loss", 5}});
  const auto html = page({a1, a2, b});
  const auto table = html.find("id=\"table\"");
  ASSERT_NE(table, html.npos);
  EXPECT_LT(table, html.find("id=\"summary\""));
  EXPECT_THAT(html, HasSubstr("<th scope=\"row\" class=\"long\">a-seed_*</th>"));
  EXPECT_THAT(html, HasSubstr("data-name=\"a-seed_* (2 runs)\""));
  EXPECT_THAT(html, HasSubstr("<polygon class=\"band c0\""));
  EXPECT_THAT(html, Not(HasSubstr("data-name=\"a-seed_1\"")));
  EXPECT_THAT(html, HasSubstr("a-seed_* (2 runs) <b>2</b>"));  // the mean of 1 and 3
  EXPECT_THAT(page({a1, b}), Not(HasSubstr("class=\"band")));
  EXPECT_THAT(page({a1}), Not(HasSubstr("id=\"table\"")));
}

TEST(Labels, OfSeveralRunsAreTheirCommonBeginning) {
  EXPECT_EQ(common_label({"a-seed_1", "a-seed_2"}), "a-seed_*");
  EXPECT_EQ(common_label({"run", "run2"}), "run*");
  EXPECT_EQ(common_label({"x", "y"}), "x, ...");
  EXPECT_EQ(common_label({"x"}), "x");
  EXPECT_EQ(common_label({"\xC3\xA4", "\xC3\xB6"}), "\xC3\xA4, ...");  // no half of a letter
}

}  // namespace
}  // namespace raven::report
