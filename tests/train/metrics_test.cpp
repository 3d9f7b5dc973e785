#include "raven/train/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <vector>

#include "raven/core/files.h"
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

// A reader of event files, written from the format's description and not from the writer.
struct Field {
  std::uint64_t number = 0, varint = 0;
  std::string bytes;  // of fixed-size and length-prefixed values
};

class Reader {
 public:
  explicit Reader(std::string bytes) : bytes_(std::move(bytes)) {}
  [[nodiscard]] bool at_end() const { return at_ == bytes_.size(); }
  std::string take(std::size_t count) {
    if (count > bytes_.size() - at_) throw std::runtime_error("message ends early");
    at_ += count;
    return bytes_.substr(at_ - count, count);
  }
  template <class Number>
  Number number() {
    Number value;
    std::memcpy(&value, take(sizeof(Number)).data(), sizeof(Number));
    return value;
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
  }
  Field field() {
    Field result;
    const auto key = varint();
    result.number = key >> 3;
    if ((key & 7) == 0) result.varint = varint();
    if ((key & 7) == 1) result.bytes = take(8);
    if ((key & 7) == 2) result.bytes = take(varint());
    if ((key & 7) == 5) result.bytes = take(4);
    return result;
  }

 private:
  std::string bytes_;
  std::size_t at_ = 0;
};

std::vector<std::string> records_of(const fs::path& folder) {
  std::vector<std::string> records;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    Reader reader(read_file(file));
    while (!reader.at_end()) {
      const auto length = reader.take(8);
      EXPECT_EQ(reader.number<std::uint32_t>(), masked_crc32c(length));
      std::uint64_t count = 0;
      std::memcpy(&count, length.data(), 8);
      records.push_back(reader.take(count));
      EXPECT_EQ(reader.number<std::uint32_t>(), masked_crc32c(records.back()));
    }
  }
  return records;
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
  ASSERT_EQ(records.size(), 5U);  // version, look; version, restart, look
  Reader restart(records[3]);
  restart.field();
  EXPECT_EQ(restart.field().varint, 0U);
  EXPECT_EQ(restart.field().number, 7U);  // session_log
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
