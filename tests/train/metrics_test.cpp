#include "raven/train/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "raven/core/files.h"
#include "support/event_files.h"
#include "support/temporary_folder.h"

namespace raven::train {
namespace {

namespace fs = std::filesystem;

std::vector<nlohmann::json> lines_of(const fs::path& file) {
  std::vector<nlohmann::json> lines;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

TEST(Metrics, EveryLineIsAnObjectWithItsStep) {
  const TemporaryFolder run;
  Metrics metrics(run.path(), 0);
  metrics.write(10, "train", {{"loss", 0.5}, {"lr", 1e-3}});
  metrics.write(20, "train", {{"loss", std::numeric_limits<double>::quiet_NaN()}});
  const auto lines = lines_of(run.path() / "metrics.jsonl");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].at("step"), 10);
  EXPECT_EQ(lines[0].at("loss"), 0.5);
  EXPECT_TRUE(lines[1].at("loss").is_null());
}

TEST(Metrics, AResumedRunHasNoStepTwiceAndNoBrokenLine) {
  const TemporaryFolder run;
  {
    Metrics metrics(run.path(), 0);
    for (const int step : {0, 10, 20, 30}) metrics.write(step, "train", {{"loss", 1.0 * step}});
  }
  std::ofstream(run.path() / "metrics.jsonl", std::ios::app) << R"({"step": 20, "lo)";
  Metrics metrics(run.path(), 20);
  metrics.write(30, "train", {{"loss", -1.0}});
  const auto lines = lines_of(run.path() / "metrics.jsonl");
  ASSERT_EQ(lines.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(lines[i].at("step"), 10 * i);
  EXPECT_EQ(lines[3].at("loss"), -1.0);
}

TEST(Metrics, ARunThatStartsAgainDropsEverything) {
  const TemporaryFolder run;
  { Metrics(run.path(), 0).write(0, "valid", {{"loss", 1.0}}); }
  Metrics metrics(run.path(), 0);
  metrics.write(0, "valid", {{"loss", 2.0}});
  ASSERT_EQ(lines_of(run.path() / "metrics.jsonl").size(), 1U);
}

TEST(EventWriter, ChecksumsAreCastagnolis) {
  // RFC 3720, appendix B.4.
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43U);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
}

TEST(EventWriter, WritesScalarsThatAReaderFinds) {
  const TemporaryFolder run;
  Metrics metrics(run.path(), 0);
  metrics.write(300, "train", {{"loss", -1.25}, {"lr", 0.5}});
  const auto records = records_of(run.path() / "tensorboard");
  ASSERT_EQ(records.size(), 2U);

  Reader version(records[0]);
  EXPECT_EQ(version.field().number, 1U);  // wall_time
  EXPECT_EQ(version.field().varint, 0U);  // step
  const auto text = version.field();
  EXPECT_EQ(text.number, 3U);
  EXPECT_EQ(text.bytes, "brain.Event:2");

  Reader event(records[1]);
  const auto wall_time = Reader(event.field().bytes).number<double>();
  EXPECT_GT(wall_time, 1.6e9);
  const auto step = event.field();
  EXPECT_EQ(step.number, 2U);
  EXPECT_EQ(step.varint, 300U);
  const auto summary_field = event.field();
  EXPECT_EQ(summary_field.number, 5U);
  Reader summary(summary_field.bytes);
  std::map<std::string, float> scalars;
  while (!summary.at_end()) {
    Reader value(summary.field().bytes);
    const auto tag = value.field().bytes;
    scalars[tag] = Reader(value.field().bytes).number<float>();
  }
  EXPECT_EQ(scalars, (std::map<std::string, float>{{"train/loss", -1.25F}, {"train/lr", 0.5F}}));
}

TEST(EventWriter, ARunThatStartsAgainForgetsTheEarlierOne) {
  const TemporaryFolder run;
  { Metrics(run.path(), 0).write(0, "held_out", {{"valid_loss", 1.0}}); }
  { Metrics(run.path(), 0).write(0, "held_out", {{"valid_loss", 2.0}}); }
  const auto records = records_of(run.path() / "tensorboard");
  ASSERT_EQ(records.size(), 5U);  // version, evaluation; version, restart, evaluation
  Reader restart(records[3]);
  restart.field();
  EXPECT_EQ(restart.field().varint, 0U);
  EXPECT_EQ(restart.field().number, 7U);  // session_log
}

TEST(Metrics, AnEvaluationThatIsMadeAgainIsThereOnce) {
  const TemporaryFolder run;
  {
    Metrics metrics(run.path(), 0);
    metrics.write(10, "held_out", {{"valid_loss", 1.0}});
    metrics.write(20, "train", {{"epoch", 0.1}, {"loss", 3.0}, {"rate", std::nan("")}});
    metrics.write(20, "held_out", {{"valid_loss", 2.0}});  // killed before the checkpoint tells it
  }
  for (int start = 0; start < 2; ++start) {
    Metrics metrics(run.path(), 20, /*evaluation_due=*/true);
    metrics.write(20, "held_out", {{"valid_loss", 2.5}});
  }
  const auto lines = lines_of(run.path() / "metrics.jsonl");
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[1].at("loss"), 3.0);
  EXPECT_EQ(lines[2].at("valid_loss"), 2.5);
  std::map<std::pair<std::int64_t, std::string>, float> numbers;
  for (const auto& [key, value] : scalars_of(run.path() / "tensorboard")) {
    EXPECT_TRUE(numbers.emplace(key, value).second) << key.first << " " << key.second;
  }
  EXPECT_EQ(numbers.size(), 5U);
  EXPECT_EQ((numbers[{10, "held_out/valid_loss"}]), 1.0F);
  EXPECT_EQ((numbers[{20, "held_out/valid_loss"}]), 2.5F);
  EXPECT_EQ((numbers[{20, "train/loss"}]), 3.0F);
  EXPECT_TRUE(std::isnan(numbers[{20, "train/rate"}]));
}

TEST(Metrics, WhatAnOlderProgramWroteTwiceIsThereOnce) {
  const TemporaryFolder run;
  {
    Metrics metrics(run.path(), 0);
    metrics.write(20, "train", {{"epoch", 0.1}, {"loss", 3.0}});
    for (const double loss : {1.0, 2.0}) metrics.write(20, "held_out", {{"valid_loss", loss}});
  }
  const Metrics metrics(run.path(), 20);
  const auto lines = lines_of(run.path() / "metrics.jsonl");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[1].at("valid_loss"), 2.0);
}

TEST(EventWriter, ALaterFileIsReadLaterWhateverTheClockSays) {
  const TemporaryFolder folder;
  // Written under a clock that was ahead; the second as older programs named them.
  for (const std::string name : {"events.out.tfevents.9000000000.999999.host.1",
                                 "events.out.tfevents.9000000001.host", "notes.txt"})
    std::ofstream(folder.path() / name) << "";
  std::string before = "events.out.tfevents.9000000001.host";
  for (int i = 0; i < 3; ++i) {
    EventWriter writer(folder.path(), 5);
    writer.write(7, {{"loss", 1.0}});
    writer.flush();
    const auto name = writer.file().filename().string();
    EXPECT_GT(name, before);
    before = name;
  }
}

TEST(EventWriter, AResumedRunTellsFromWhichStepItStartsAgain) {
  const TemporaryFolder run;
  { Metrics(run.path(), 0).write(30, "train", {{"loss", 1.0}}); }
  { Metrics(run.path(), 20).write(30, "train", {{"loss", 2.0}}); }
  const auto records = records_of(run.path() / "tensorboard");
  ASSERT_EQ(records.size(), 5U);
  Reader restart(records[3]);
  restart.field();
  EXPECT_EQ(restart.field().varint, 21U);
  const auto session = restart.field();
  EXPECT_EQ(session.number, 7U);  // session_log
  Reader status(session.bytes);
  EXPECT_EQ(status.field().varint, 1U);  // START
}

}  // namespace
}  // namespace raven::train
