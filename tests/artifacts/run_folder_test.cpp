#include "raven/artifacts/run_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "raven/artifacts/checkpoint_folder.h"
#include "raven/artifacts/flat_config_file.h"
#include "raven/config/json.h"
#include "raven/config/load.h"
#include "raven/config/pretrain_config.h"
#include "raven/core/error.h"
#include "support/temporary_folder.h"

namespace raven::artifacts {
namespace {

namespace fs = std::filesystem;

using testing::HasSubstr;

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Flatten, NamesEveryKeyWithItsPath) {
  config::PretrainConfig config;
  config.optimizer.warmup_steps = 7;
  config.data.manifest = {"a.tsv", "b.tsv"};
  const auto flat = flatten(config);
  EXPECT_EQ(flat.at("optimizer.lr"), "0.003");
  EXPECT_EQ(flat.at("optimizer.warmup_steps"), "7");
  EXPECT_EQ(flat.at("model.encoder.ffn_norm"), "batch");
  EXPECT_EQ(flat.at("train.steps"), "null");
  EXPECT_EQ(flat.at("data.manifest"), "[a.tsv, b.tsv]");
  EXPECT_EQ(flat.at("loss.cross_masked_only"), "false");
}

TEST(RunFolder, GoesOnUnderPathsThatAreNoUtf8) {
  const TemporaryFolder folder;
  config::PretrainConfig config;
  config.run.dir = "runs/caf\xE9";
  config.data.manifest = {"caf\xE9/a.tsv"};
  config.teacher.video_weights = "100%/caf\xE9";
  RunFolder run(folder.path());
  run.claim(flatten(config), "", {});
  fs::create_directories(run.checkpoints() / "step_00000010");
  EXPECT_EQ(message_of([&] { run.claim(flatten(config), "", {}); }), "nothing was thrown");
  config.teacher.video_weights = "100%/caf\xE8";
  EXPECT_THAT(message_of([&] { run.claim(flatten(config), "", {}); }),
              HasSubstr("teacher.video_weights: 100%25/caf%E9 there, 100%25/caf%E8 here"));
  run.write_environment({{"gpu", "caf\xE9"}});
  run.write_records();
  EXPECT_THAT(read_file(folder.path() / "environment.json"), HasSubstr("\"caf%E9\""));
}

TEST(RunFolder, HasOneOwner) {
  const TemporaryFolder folder;
  const RunFolder first(folder.path() / "run");
  const auto message = message_of([&] { RunFolder(folder.path() / "run"); });
  EXPECT_THAT(message, HasSubstr(fmt::format("process {}", getpid())));
}

TEST(RunFolder, RefusesAnotherConfigurationByKey) {
  const TemporaryFolder folder;
  RunFolder run(folder.path());
  run.claim({{"optimizer.lr", "0.002"}, {"mask.prob", "0.2"}}, "", {});
  run.claim({{"optimizer.lr", "0.003"}, {"mask.prob", "0.2"}}, "a: 3\n", {});  // nothing was made
  fs::create_directories(run.checkpoints() / "step_00000010");
  const auto message = message_of([&] {
    run.claim({{"optimizer.lr", "0.001"}, {"mask.prob", "0.2"}}, "", {});
  });
  EXPECT_THAT(message, HasSubstr("optimizer.lr: 0.003 there, 0.001 here"));
  EXPECT_THAT(message, testing::Not(HasSubstr("mask.prob")));
  EXPECT_EQ(read_file(folder.path() / "config.yaml"), "a: 3\n");
}

TEST(RunFolder, WritesWhatAStartSaysOnlyWhenItsCheckpointWasAccepted) {
  const TemporaryFolder folder;
  RunFolder run(folder.path());
  const FlatConfig config = {{"optimizer.lr", "0.003"}};
  run.claim(config, "a: 1\n", {"x=1"});
  run.write_environment({{"threads", "1"}});
  const auto environment = read_file(folder.path() / "environment.json");
  fs::create_directories(run.checkpoints() / "step_00000010");
  run.claim(config, "a: 2\n", {});
  run.write_environment({{"threads", "2"}});
  EXPECT_EQ(read_file(folder.path() / "config.yaml"), "a: 1\n");
  EXPECT_EQ(read_file(folder.path() / "environment.json"), environment);
  run.write_records();
  EXPECT_EQ(read_file(folder.path() / "config.yaml"), "a: 2\n");
  EXPECT_THAT(read_file(folder.path() / "environment.json"), HasSubstr("\"2\""));
  EXPECT_EQ(read_file(folder.path() / "overrides.txt"), "x=1\n");  // how the run was made
}

TEST(RunFolder, GoesOnWhereverItsFilesLie) {
  const TemporaryFolder folder;
  RunFolder run(folder.path());
  run.claim({{"text.model", "data/a.model"}, {"model.init", "runs/a"}, {"optimizer.lr", "1"}}, "",
            {});
  fs::create_directories(run.checkpoints() / "step_00000010");
  // What they hold is compared elsewhere: the vocabulary beside the run, the hashes of data and
  // weights in its checkpoints.
  run.claim({{"text.model", "/x/a.model"}, {"model.init", "../a"}, {"optimizer.lr", "1"}}, "", {});
}

TEST(RunFolder, KeepsItsConfigurationWithTypes) {
  const TemporaryFolder folder;
  RunFolder run(folder.path());
  config::PretrainConfig config;
  config.run.dir = "runs/${a} b";
  config.data.manifest = {"a.tsv", "1"};
  run.claim(flatten(config), "", {}, {}, config::to_json(config));
  const auto file = folder.path() / kConfigFile;
  const auto json = nlohmann::json::parse(read_file(file));
  EXPECT_EQ(json.at("optimizer").at("lr"), 0.003);
  EXPECT_TRUE(json.at("train").at("steps").is_null());
  EXPECT_EQ(json.at("data").at("manifest"), nlohmann::json::array({"a.tsv", "1"}));
  EXPECT_EQ(read_flat_config(file), flatten(config));
  EXPECT_EQ(config::load<config::PretrainConfig>(file).yaml, config::to_yaml(config));
  // As earlier versions wrote it.
  write_file_atomically(file, flat_config_json(flatten(config)));
  EXPECT_EQ(read_flat_config(file), flatten(config));
}

TEST(RunFolder, GoesOnWithAnotherLengthOrMachine) {
  const TemporaryFolder folder;
  RunFolder run(folder.path());
  const auto config = [](const std::string& steps, const std::string& workers,
                         const std::string& manifest) {
    return FlatConfig{
        {"train.steps", steps}, {"data.workers", workers}, {"data.manifest", manifest}};
  };
  run.claim(config("10", "0", "[data/train.tsv]"), "a: 1\n", {});
  run.claim(config("20", "4", "[/mnt/train.tsv]"), "a: 2\n", {"x=1"});
  EXPECT_EQ(read_file(folder.path() / "config.yaml"), "a: 2\n");
  EXPECT_EQ(read_file(folder.path() / "overrides.txt"), "x=1\n");
}

// A kill between the last byte of the first checkpoint and its name.
TEST(RunFolder, ACheckpointThatWaitsForItsNameIsOne) {
  const TemporaryFolder folder;
  const auto checkpoints = folder.path() / "checkpoints";
  {
    RunFolder run(folder.path());
    run.claim({{"optimizer.lr", "0.1"}}, "", {});
    CheckpointFolder(run.checkpoints(), 2, 0).save({.step = 10}, {}, {});
  }
  fs::rename(checkpoints / "step_00000010", checkpoints / "step_00000010.tmp");
  RunFolder run(folder.path());
  EXPECT_TRUE(run.has_checkpoints());
  EXPECT_TRUE(fs::exists(checkpoints / "step_00000010"));
  EXPECT_THROW(run.claim({{"optimizer.lr", "0.2"}}, "", {}), ConfigError);
}

TEST(RunFolder, APartOfACheckpointIsNone) {
  const TemporaryFolder folder;
  fs::create_directories(folder.path() / "checkpoints" / "step_00000010.tmp");
  EXPECT_FALSE(RunFolder(folder.path()).has_checkpoints());
}

TEST(RunFolder, ASkippedLineCutShortIsWrittenAnew) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "skipped.tsv";
  { RunFolder(folder.path()).add_skipped({"a\tmissing\tno such file"}); }
  const auto whole = read_file(file);
  write_file_atomically(file, whole + "b\tmis");
  RunFolder run(folder.path());
  EXPECT_EQ(run.skipped(), (std::map<std::string, std::int64_t>{{"missing", 1}}));
  run.add_skipped({"b\tmissing\tno such file"});
  EXPECT_EQ(read_file(file), whole + "b\tmissing\tno such file\n");
}

TEST(RunFolder, ListsASkippedUtteranceOnce) {
  const TemporaryFolder folder;
  {
    RunFolder run(folder.path());
    run.add_skipped({"a\tcorrupt\tx"});
    run.add_skipped({"a\tcorrupt\tx", "b\tshort\ty"});
  }
  RunFolder again(folder.path());
  again.add_skipped({"b\tshort\ty"});
  EXPECT_EQ(again.skipped(), (std::map<std::string, std::int64_t>{{"corrupt", 1}, {"short", 1}}));
  EXPECT_EQ(read_file(folder.path() / "skipped.tsv"), "a\tcorrupt\tx\nb\tshort\ty\n");
}

TEST(RunFolder, AKeyThatCameLaterHadItsDefaultBefore) {
  const config::FlatConfig there = {{"optimizer.lr", "0.003"}}, defaults = {{"loss.mean", "step"}};
  const config::FlatConfig same = {{"optimizer.lr", "0.003"}, {"loss.mean", "step"}};
  EXPECT_TRUE(differences(there, same, defaults).empty());
  auto other = same;
  other["loss.mean"] = "batch";
  EXPECT_EQ(differences(there, other, defaults),
            std::vector<std::string>{"loss.mean: step there, batch here"});
  EXPECT_FALSE(differences(there, same).empty());
}

TEST(RunFolder, IsNotThatOfPreparedData) {
  const TemporaryFolder folder;
  fs::create_directory(folder.path() / "shards");
  EXPECT_THAT(message_of([&] { RunFolder run(folder.path()); }), HasSubstr("holds prepared data"));
  EXPECT_FALSE(fs::exists(folder.path() / ".lock"));
}

TEST(RunFolder, OfAnotherProcessIsOnlyRead) {
  const TemporaryFolder folder;
  const auto run = folder.path() / "run";
  RunFolder early(run, RunFolder::Access::kReader);
  EXPECT_FALSE(fs::exists(run));
  const RunFolder owner(run);
  RunFolder reader(run, RunFolder::Access::kReader);
  EXPECT_TRUE(owner.is_owner());
  EXPECT_FALSE(reader.is_owner());
  EXPECT_THROW(reader.write_environment({}), InternalError);
  EXPECT_THROW(reader.add_skipped({"a\tdamaged\t"}), InternalError);
  EXPECT_FALSE(fs::exists(run / "skipped.tsv"));
}

}  // namespace
}  // namespace raven::artifacts
