#include "media/sound_timeline.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "raven/core/error.h"
#include "support/resident.h"

namespace raven::media {
namespace {

constexpr double kBlock_s = 1024.0 / 48000;  // of AAC at 48 kHz

/// Blocks one after another; `time` tells the stated time of block k from its right one.
SoundTimeline blocks(int count, const std::function<double(int k, double time_s)>& time) {
  SoundTimeline timeline;
  for (int k = 0; k < count; ++k) timeline.add(k * kBlock_s, time(k, k * kBlock_s));
  timeline.finish();
  return timeline;
}

/// 1, 2, 3, ... so that each sample tells where it came from.
std::vector<float> counting(int count) {
  std::vector<float> samples;
  for (int i = 1; i <= count; ++i) samples.push_back(static_cast<float>(i));
  return samples;
}

std::vector<float> placed(const SoundTimeline& timeline, std::vector<float> samples,
                          std::optional<double> origin_s = {}, SoundPlacement* told = nullptr) {
  const auto placement = timeline.place(samples, origin_s, {}, "clip");
  if (told != nullptr) *told = placement;
  return samples;
}

double to_ms(double time_s) { return std::round(time_s * 1000) / 1000; }

TEST(SoundTimeline, LeavesSoundAloneWhoseTimesAreOnlyRounded) {
  constexpr int kHour = 168'750;  // blocks: times must not add up to anything
  const auto timeline = blocks(kHour, [](int, double time_s) { return 17 + to_ms(time_s); });
  auto samples = counting(4000);
  SoundPlacement placement;
  EXPECT_EQ(placed(timeline, samples, {}, &placement), samples);
  EXPECT_EQ(placement.filled, 0);
  EXPECT_EQ(placement.overlapping, 0);
}

TEST(SoundTimeline, LeavesSoundAloneWhoseTimesWaver) {
  // As of MPEG sound in AVI: the time is of the chunk, the block begins somewhere in it.
  const auto wavering = blocks(500, [](int k, double time_s) { return time_s - 0.008 * (k % 4); });
  const auto samples = counting(170'000);
  EXPECT_EQ(placed(wavering, samples), samples);
  const auto one_wrong =
      blocks(500, [](int k, double time_s) { return time_s + (k == 250 ? 99 : 0); });
  EXPECT_EQ(placed(one_wrong, samples), samples);
}

TEST(SoundTimeline, PutsSilenceWhereBlocksAreMissing) {
  // Block 30 comes 3 blocks late, and so does all that follows.
  const auto late = [](int k, double time_s) {
    return to_ms(time_s + (k >= 30 ? 3 * kBlock_s : 0));
  };
  SoundPlacement placement;
  const auto samples = placed(blocks(100, late), counting(34'133), {}, &placement);
  EXPECT_NEAR(static_cast<double>(placement.filled), 3 * kBlock_s * 16000, 16);
  const auto hole = static_cast<std::size_t>(std::llround(30 * kBlock_s * 16000));
  EXPECT_EQ(samples.at(hole - 1), static_cast<float>(hole));
  for (std::size_t i = 0; i < static_cast<std::size_t>(placement.filled); ++i) {
    ASSERT_EQ(samples.at(hole + i), 0);
  }
  EXPECT_EQ(samples.at(hole + static_cast<std::size_t>(placement.filled)),
            static_cast<float>(hole + 1));
  EXPECT_EQ(std::ssize(samples), 34'133 + placement.filled);
}

TEST(SoundTimeline, FindsHolesThatFollowEachOther) {
  const auto late = [](int k, double time_s) {
    return time_s + (k >= 20 ? 0.02 : 0) + (k >= 22 ? 0.02 : 0) + (k >= 24 ? 0.5 : 0);
  };
  SoundPlacement placement;
  placed(blocks(60, late), counting(20'000), {}, &placement);
  EXPECT_NEAR(static_cast<double>(placement.filled), 0.54 * 16000, 160);
}

TEST(SoundTimeline, LeavesOutWhatIsThereTwice) {
  const auto early = [](int k, double time_s) { return time_s - (k >= 30 ? 0.2 : 0); };
  SoundPlacement placement;
  const auto samples = placed(blocks(100, early), counting(34'133), {}, &placement);
  EXPECT_EQ(placement.overlapping, 3200);
  EXPECT_EQ(std::ssize(samples), 34'133 - 3200);
  EXPECT_EQ(samples.back(), 34'133);
}

TEST(SoundTimeline, BeginsAtTheOrigin) {
  const auto timeline = blocks(50, [](int, double time_s) { return 10 + time_s; });
  EXPECT_EQ(timeline.start_s(), 10);
  SoundPlacement placement;
  const auto later = placed(timeline, counting(17'000), 9.5, &placement);
  EXPECT_EQ(placement.silence_before, 8000);
  EXPECT_EQ(later.at(7999), 0);
  EXPECT_EQ(later.at(8000), 1);
  const auto earlier = placed(timeline, counting(17'000), 10.25, &placement);
  EXPECT_EQ(placement.cut_before, 4000);
  EXPECT_EQ(earlier.at(0), 4001);
  EXPECT_TRUE(placed(timeline, counting(17'000), 100.0).empty());
}

TEST(SoundTimeline, KeepsWhatComesBeforeTheFirstTime) {
  SoundTimeline timeline;
  for (int k = 5; k < 50; ++k) timeline.add(k * kBlock_s, 10 + k * kBlock_s);
  timeline.finish();
  EXPECT_NEAR(timeline.start_s().value_or(0), 10, 1e-9);
  const auto samples = counting(17'000);
  SoundPlacement placement;
  EXPECT_EQ(placed(timeline, samples, {}, &placement), samples);
  EXPECT_EQ(placement.cut_before, 0);
}

TEST(SoundTimeline, TellsWhereTheSoundIsOfTheFile) {
  const auto late = [](int k, double time_s) { return time_s + (k >= 75 ? 1 : 0); };  // at 1.6 s
  SoundPlacement placement;
  placed(blocks(150, late), counting(51'200), -0.5, &placement);
  ASSERT_EQ(placement.heard.size(), 2U);
  EXPECT_EQ(placement.heard[0].begin, 8000);
  EXPECT_EQ(placement.heard[0].end, 8000 + 25'600);
  EXPECT_EQ(placement.heard[1].begin, 8000 + 25'600 + 16'000);
  EXPECT_EQ(placement.heard[1].end, 8000 + 51'200 + 16'000);
  placed({}, counting(100), {}, &placement);
  ASSERT_EQ(placement.heard.size(), 1U);
  EXPECT_EQ(placement.heard[0].end, 100);
}

TEST(SoundTimeline, TakesSoundWithoutTimesAsItIs) {
  SoundTimeline timeline;
  timeline.finish();
  const auto samples = counting(100);
  EXPECT_EQ(placed(timeline, samples, 5.0), samples);
  EXPECT_EQ(timeline.start_s(), std::nullopt);
}

TEST(SoundTimeline, RefusesAYearOfSilenceBeforeItTakesMemory) {
  const ResidentPeak peak;
  for (const double jump_s : {3700.0, 3.2e7, 1e300}) {
    const auto timeline =
        blocks(60, [&](int k, double time_s) { return time_s + (k >= 30 ? jump_s : 0); });
    EXPECT_THROW(placed(timeline, counting(20'480)), MediaError) << jump_s;
    EXPECT_THROW(placed(blocks(60, [](int, double t) { return t; }), counting(20'480), -jump_s),
                 MediaError)
        << jump_s;
  }
  EXPECT_LT(peak.growth(), 32 << 20);
}

}  // namespace
}  // namespace raven::media
