#include "raven/sweep/runs.h"

#include "sweep/sweep_fixture.h"

namespace raven::sweep {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class SweepRuns : public Sweeps {
 protected:
  /// What check_begun_runs() says; empty when it is content.
  [[nodiscard]] std::string complaint(const std::string& rest) const {
    try {
      check_begun_runs(sweep(rest), runs(rest));
      return "";
    } catch (const ConfigError& error) {
      return error.what();
    }
  }
};

TEST_F(SweepRuns, AreEveryVariantWithEverySeed) {
  const auto all = runs("grid: {mask.prob: [0.1, 0.4]}\nseeds: [1, 2]\n");
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[1].name, "prob_0.1-seed_2");
  EXPECT_EQ(all[1].variant, "prob_0.1");
  EXPECT_EQ(all[1].seed, 2);
  EXPECT_EQ(all[1].folder, dir() / "prob_0.1-seed_2");
  EXPECT_THAT(all[1].arguments,
              ElementsAre("pretrain", "data.manifest=a.tsv", "mask.prob=0.1", "run.seed=2",
                          "run.dir=" + (dir() / "prob_0.1-seed_2").string()));
  EXPECT_EQ(all[2].name, "prob_0.4-seed_1");
  EXPECT_EQ(all[2].config.at("mask.prob"), "0.4");
  EXPECT_EQ(all[2].config.at("run.seed"), "1");
}

TEST_F(SweepRuns, WithoutSeedsKeepThatOfTheConfiguration) {
  const auto all = runs("runs: {a: run.seed=5}\n");
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].name, "a");
  EXPECT_EQ(all[0].seed, std::nullopt);
  EXPECT_EQ(all[0].config.at("run.seed"), "5");
}

TEST_F(SweepRuns, NeverShareAFolder) {
  const auto all = runs("runs: {a: , a-seed_1: }\nseeds: [1, 11]\n");
  std::set<fs::path> folders;
  for (const auto& run : all) folders.insert(run.folder);
  EXPECT_EQ(folders.size(), 4U);
}

TEST_F(SweepRuns, AreAllCheckedBeforeOneIsBegun) {
  try {
    runs("grid: {mask.prob: [0.1, 1.4]}\n");
    FAIL() << "no complaint";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("run prob_1.4: "));
    EXPECT_THAT(error.what(), HasSubstr("mask.prob=1.4, expected a number"));
  }
}

TEST_F(SweepRuns, MayBeAddedToASweep) {
  const auto before = runs("grid: {mask.prob: [0.1, 0.2]}\n");
  for (const auto& run : before) begin(run, run.config);
  EXPECT_EQ(complaint("grid: {mask.prob: [0.1, 0.2]}\n"), "");
  EXPECT_EQ(complaint("grid: {mask.prob: [0.05, 0.1, 0.2, 0.4]}\n"), "");
}

TEST_F(SweepRuns, ThatWereBegunAreNotChanged) {
  const auto before = runs("grid: {mask.prob: [0.1, 0.2]}\n");
  auto other = before[0].config;
  other["optimizer.lr"] = "0.5";
  begin(before[0], other);
  EXPECT_THAT(complaint("grid: {mask.prob: [0.1, 0.2]}\n"),
              HasSubstr("\n  prob_0.1: optimizer.lr: 0.5 there, 0.003 here"));
}

TEST_F(SweepRuns, AreChangedByLengthAndListsButNotByMachineSettings) {
  const auto run = runs("runs: {a: }\n").front();
  for (const std::string key : {"train.steps", "train.epochs", "data.manifest"}) {
    auto other = run.config;
    other[key] = "7";
    begin(run, other);
    EXPECT_THAT(complaint("runs: {a: }\n"), HasSubstr("a: " + key + ": 7 there")) << key;
  }
  auto other = run.config;
  other["threads"] = other["data.workers"] = other["log.every"] = "7";
  begin(run, other);
  EXPECT_EQ(complaint("runs: {a: }\n"), "");
}

TEST_F(SweepRuns, ThatWereBegunAreNotLeftOut) {
  const auto before = runs("grid: {mask.prob: [0.1, 0.2]}\n");
  for (const auto& run : before) begin(run, run.config);
  make_folders(dir() / "logs");  // not a run
  EXPECT_THAT(complaint("grid: {mask.prob: [0.2]}\n"),
              HasSubstr("prob_0.1: was begun, and the sweep has no such run"));
}

TEST_F(SweepRuns, AreFinishedUntilTheirFolderGoes) {
  const auto all = runs("grid: {mask.prob: [0.1, 0.2]}\n");
  for (const auto& run : all) begin(run, run.config);
  {
    FinishedRuns finished(dir());
    EXPECT_FALSE(finished.has(all[0]));
    finished.add(all[0]);
  }
  const FinishedRuns finished(dir());
  EXPECT_TRUE(finished.has(all[0]));
  EXPECT_FALSE(finished.has(all[1]));
  fs::remove_all(all[0].folder);
  EXPECT_FALSE(finished.has(all[0]));
}

}  // namespace
}  // namespace raven::sweep
