#include "raven/plan/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "raven/core/error.h"

namespace raven::plan {
namespace {

using config::FinetuneConfig;
using config::PretrainConfig;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kGiB = 1024.0 * 1024 * 1024;

Hardware cpu(double gib) { return {.memory = gib * kGiB, .device = "cpu"}; }
Hardware gpu(double gib) {
  return {.cuda = true, .memory = 64 * kGiB, .device_memory = gib * kGiB, .device = "a GPU"};
}

/// The number in "key=number".
std::int64_t number_in(const std::string& override) {
  return std::stoll(override.substr(override.find('=') + 1));
}

TEST(Plan, TakesTheBatchThatNeedsMost) {
  PretrainConfig config;
  config.data.max_frames = 300;
  // Batches of 6 x 50 and of 1 x 300 frames: the long one's attention maps are larger.
  std::vector<std::int64_t> sizes(12, 50);
  sizes.push_back(300);
  const auto plan = make_plan(config, Data::of_sizes(sizes), cpu(64));
  EXPECT_EQ(plan.batch.frames, 300);
  EXPECT_EQ(plan.batch.clips, 1);
  EXPECT_EQ(plan.length.batches_per_epoch, 3);
}

TEST(Plan, RefusesUtterancesLongerThanABatch) {
  PretrainConfig config;
  config.data.max_frames = 100;
  EXPECT_THROW(make_plan(config, Data::of_sizes({150}), cpu(64)), ConfigError);
}

TEST(SettingsThatFit, AreTheLargestBudgetAndTheSameFramesAStep) {
  PretrainConfig config;
  config.train.accumulate = 32;
  const Data data;
  const auto hardware = cpu(8);
  ASSERT_GT(memory_for(config, data, hardware).total(), hardware.capacity());
  const auto settings = settings_that_fit(config, data, hardware);
  ASSERT_EQ(settings.size(), 1U);  // bf16 saves nothing on a CPU
  const auto& best = settings.front();
  ASSERT_EQ(best.overrides.front().rfind("data.max_frames=", 0), 0U);
  ASSERT_EQ(best.overrides.back().rfind("train.accumulate=", 0), 0U);
  const auto frames = number_in(best.overrides.front());
  EXPECT_GE(frames * number_in(best.overrides.back()), 2400 * 32);
  EXPECT_LE(best.bytes, hardware.capacity());
  auto changed = config;
  changed.data.max_frames = frames;
  changed.data.valid_max_frames = std::min<std::int64_t>(500, frames);
  changed.train.accumulate = number_in(best.overrides.back());
  EXPECT_EQ(memory_for(changed, data, hardware).total(), best.bytes);
  // One clip more would not fit; between two multiples of a clip nothing changes.
  changed.data.max_frames = (frames / data.longest + 1) * data.longest;
  EXPECT_GT(memory_for(changed, data, hardware).total(), hardware.capacity());
}

TEST(SettingsThatFit, OnAGpuBringInBf16) {
  PretrainConfig config;
  const auto settings = settings_that_fit(config, {}, gpu(8));
  ASSERT_EQ(settings.size(), 2U);
  EXPECT_THAT(settings[0].overrides.front(), HasSubstr("data.max_frames="));
  EXPECT_THAT(settings[1].overrides, ElementsAre("train.precision=bf16"));
  config.train.precision = config::Precision::kBf16;
  EXPECT_LE(memory_for(config, {}, gpu(8)).total(), 8 * kGiB);
}

TEST(SettingsThatFit, OfFineTuningEndWithFrozenConvolutions) {
  const FinetuneConfig config;
  const auto settings = settings_that_fit(config, {}, cpu(4));
  ASSERT_EQ(settings.size(), 2U);
  EXPECT_EQ(settings[1].overrides.front(), "model.frozen=frontend");
  EXPECT_FALSE(settings[1].remark.empty());
}

TEST(SettingsThatFit, AreNoneWhenTheWeightsAloneDoNot) {
  EXPECT_TRUE(settings_that_fit(PretrainConfig{}, {}, cpu(1)).empty());
}

TEST(SettingsThatFit, LeaveRoomForTheLongestUtterance) {
  PretrainConfig config;
  auto data = Data::of_sizes({600, 100});
  config.checkpoint.background = false;
  for (const auto& setting : settings_that_fit(config, data, cpu(6)))
    EXPECT_GE(number_in(setting.overrides.front()), 600);
  EXPECT_FALSE(settings_that_fit(config, data, cpu(6)).empty());
  config.checkpoint.background = true;  // one more copy of weights and averages
  EXPECT_TRUE(settings_that_fit(config, data, cpu(6)).empty());
  EXPECT_FALSE(settings_that_fit(config, data, cpu(8)).empty());
}

TEST(SettingsThatFit, ShrinkAStepWhoseBatchesDoNotFitTogether) {
  PretrainConfig config;
  config.data.max_frames = std::int64_t{1} << 60;
  const auto settings = settings_that_fit(config, {}, cpu(64));
  ASSERT_FALSE(settings.empty());
  EXPECT_THAT(settings.front().remark, HasSubstr("fewer frames"));
  EXPECT_LE(settings.front().bytes, 64 * kGiB);
}

TEST(LengthOf, FollowsTheConfigurationAndTheData) {
  config::TrainConfig train;
  train.epochs = 10;
  train.accumulate = 2;
  const auto counted = length_of(train, 100, Data::of_sizes({50, 50, 50, 60}));
  EXPECT_EQ(counted.batches_per_epoch, 3);  // 60 | 50 50 | 50
  EXPECT_EQ(counted.steps, 15);
  EXPECT_NEAR(*counted.frames, 10 * 210, 1e-9);
  EXPECT_TRUE(counted.exact);

  Data hours;
  hours.frames = 90000;
  const auto full = length_of(train, 100, hours);
  EXPECT_EQ(full.batches_per_epoch, 900);
  EXPECT_EQ(full.steps, 4500);
  EXPECT_FALSE(full.exact);

  EXPECT_FALSE(length_of(train, 100, {}).steps.has_value());
  train.steps = 7;
  const auto given = length_of(train, 100, {});
  EXPECT_EQ(given.steps, 7);
  EXPECT_EQ(given.frames, 7 * 2 * 100);
}

TEST(StorageOf, CountsTheCheckpointsThatStay) {
  Networks networks;
  networks.modules = {{.name = "student_video", .parameters = 10, .buffers = 16},
                      {.name = "teacher_video", .parameters = 10, .trained = false}};
  Length length;
  length.steps = 1000;
  const auto storage =
      storage_of(networks, {.every = 100, .keep = 2, .keep_every = 500}, {}, length, 7);
  EXPECT_EQ(storage.checkpoint, 4 * 20 + 16 + 8 * 10);
  EXPECT_EQ(storage.checkpoints, 4);  // two, and those of steps 500 and 1000
  EXPECT_EQ(storage.checkpoints_peak, 5 * storage.checkpoint);
  EXPECT_EQ(storage.exports, 7);
  length.steps = 50;
  EXPECT_EQ(storage_of(networks, {.every = 100, .keep = 2}, {}, length, 0).checkpoints, 1);
}

TEST(RawBytesPerHour, ArePixelsAndSamples) {
  EXPECT_EQ(raw_bytes_per_hour(), 3600.0 * (25 * 96 * 96 + 16000 * 2));
}

}  // namespace
}  // namespace raven::plan
