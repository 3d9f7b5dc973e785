#include "raven/transcription/sound_cutter.h"

#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "raven/core/random.h"

namespace raven::transcription {
namespace {

/// Seconds of noise of some loudness, one after another; 0: silence.
struct Stretch {
  double length_s = 0, loudness = 0;
};

std::vector<float> sound(const std::vector<Stretch>& stretches, double background = 0) {
  Random random(7);
  std::vector<float> samples;
  for (const auto& [length_s, loudness] : stretches) {
    for (std::int64_t i = 0; i < std::llround(length_s * 16000); ++i) {
      const double noise = random.uniform(-1, 1);
      samples.push_back(static_cast<float>(loudness * noise + background * random.uniform(-1, 1)));
    }
  }
  return samples;
}

std::vector<Cut> cuts(const std::vector<float>& samples,
                      const config::CutConfig& config = {.pad_s = 0.3},
                      std::size_t stretch = 16000) {
  SoundCutter cutter(config);
  std::vector<Cut> all;
  const auto take = [&] {
    auto needed = cutter.needed_from();
    while (const auto cut = cutter.next()) {
      EXPECT_GE(cut->begin, needed);
      all.push_back(*cut);
      needed = cutter.needed_from();
    }
  };
  for (std::size_t begin = 0; begin < samples.size(); begin += stretch) {
    cutter.add(std::span(samples).subspan(begin, std::min(stretch, samples.size() - begin)));
    take();
    EXPECT_GE(cutter.needed_from(), static_cast<std::int64_t>(begin / 640) - 60 * 25);
  }
  cutter.finish();
  take();
  return all;
}

/// Frames, give or take what levels are smoothed over.
void expect_near(const std::vector<Cut>& found, const std::vector<std::pair<double, double>>& s) {
  ASSERT_EQ(found.size(), s.size());
  for (std::size_t i = 0; i < s.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(found[i].begin) / 25, s[i].first, 0.09) << "piece " << i;
    EXPECT_NEAR(static_cast<double>(found[i].end) / 25, s[i].second, 0.09) << "piece " << i;
  }
}

TEST(SoundCutter, EndsAPieceInASilenceAndKeepsALittleOfIt) {
  // The silence of 1 s ends a piece, that of 0.3 s does not. 0.3 s of silence stay on either side.
  const auto samples = sound({{1, 0}, {2, 0.2}, {1, 0}, {3, 0.2}, {0.3, 0}, {1, 0.2}, {2, 0}});
  expect_near(cuts(samples), {{0.7, 3.3}, {3.7, 8.6}});
}

TEST(SoundCutter, SharesAShortSilence) {
  const auto samples = sound({{2, 0.2}, {0.6, 0}, {2, 0.2}});
  const auto found = cuts(samples, {.pad_s = 1});
  expect_near(found, {{0, 2.3}, {2.3, 4.6}});
  EXPECT_LE(found[0].end, found[1].begin);
  EXPECT_FALSE(found[1].overlaps);
}

TEST(SoundCutter, GivesTheSameWhateverTheStretches) {
  std::vector<Stretch> stretches;
  Random random(3);
  for (int i = 0; i < 60; ++i)
    stretches.push_back({random.uniform(0.1, 6), i % 2 == 0 ? random.uniform(0.05, 0.4) : 0.0});
  const auto samples = sound(stretches, 0.001);
  const auto expected = cuts(samples);
  EXPECT_GT(expected.size(), 15U);
  for (const std::size_t stretch : {97U, 640U, 5000U, 10'000'000U})
    EXPECT_EQ(cuts(samples, {.pad_s = 0.3}, stretch), expected) << stretch;
}

TEST(SoundCutter, CutsALongStretchInItsLongestShorterSilence) {
  const auto samples = sound({{12, 0.2}, {0.2, 0}, {5, 0.2}, {0.1, 0}, {12, 0.2}});
  const auto found = cuts(samples);
  expect_near(found, {{0, 12.1}, {12.1, 29.3}});
  for (const auto& cut : found) EXPECT_LE(cut.end - cut.begin, 500);
}

using Frames = std::vector<std::tuple<std::int64_t, std::int64_t, bool>>;

Frames frames_of(const std::vector<Cut>& found) {
  Frames frames;
  for (const auto& cut : found) frames.emplace_back(cut.begin, cut.end, cut.overlaps);
  return frames;
}

TEST(SoundCutter, MakesWindowsWhereThereIsNoSilence) {
  EXPECT_EQ(frames_of(cuts(sound({{50, 0.2}}))),
            (Frames{{0, 500, false}, {400, 900, true}, {800, 1250, true}}));
  EXPECT_EQ(frames_of(cuts(sound({{7, 0.2}}), {.max_s = 3, .overlap_s = 0})),
            (Frames{{0, 75, false}, {75, 150, false}, {150, 175, false}}));
}

TEST(SoundCutter, TellsWhichFramesAreSilent) {
  const auto found = cuts(sound({{2, 0}, {2, 0.2}, {0.4, 0}, {1, 0.2}, {2, 0}}));
  ASSERT_EQ(found.size(), 1U);
  const auto& [begin, end, overlaps, silent] = found[0];
  ASSERT_EQ(std::ssize(silent), end - begin);
  for (auto t = begin; t < end; ++t) {
    const double middle_s = (static_cast<double>(t) + 0.5) / 25;
    const auto apart_s = std::min({std::fabs(middle_s - 2), std::fabs(middle_s - 4),
                                   std::fabs(middle_s - 4.4), std::fabs(middle_s - 5.4)});
    if (apart_s < 0.06) continue;  // what levels are smoothed over
    const bool expected = middle_s < 2 || (middle_s > 4 && middle_s < 4.4) || middle_s > 5.4;
    EXPECT_EQ(silent[static_cast<std::size_t>(t - begin)], expected) << middle_s;
  }
}

TEST(SoundCutter, LeavesOutAWindowThatTheOneBeforeHolds) {
  // What is said ends within the 4 s that a second window would share with the first.
  const auto found = cuts(sound({{20, 0.2}, {3, 0}}));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].end, 500);
}

TEST(SoundCutter, FindsNothingInSilenceAndClicks) {
  EXPECT_TRUE(cuts(sound({{30, 0}})).empty());
  EXPECT_TRUE(cuts(sound({{30, 0.0002}})).empty());  // -76 dB
  EXPECT_TRUE(cuts(sound({{5, 0}, {0.02, 0.5}, {5, 0}})).empty());
  EXPECT_TRUE(cuts({}).empty());
  EXPECT_TRUE(cuts(std::vector<float>(600, 0.3F)).empty());  // less than a frame
}

TEST(SoundCutter, HearsSpeechAboveSteadyNoise) {
  const auto samples = sound({{2, 0}, {3, 0.1}, {0.8, 0}, {2, 0.1}, {2, 0}}, 0.01);
  expect_near(cuts(samples), {{1.7, 5.3}, {5.5, 8.1}});
}

TEST(SoundCutter, DoesNotHearRumble) {
  // A hum of 30 Hz, as loud as the speech is.
  auto samples = sound({{2, 0}, {3, 0.1}, {2, 0}}, 0.0005);
  for (std::size_t i = 0; i < samples.size(); ++i)
    samples[i] +=
        0.1F * static_cast<float>(std::sin(2 * M_PI * 30 * static_cast<double>(i) / 16000));
  expect_near(cuts(samples), {{1.7, 5.3}});
}

TEST(SoundCutter, HearsQuietRecordings) {
  expect_near(cuts(sound({{2, 0}, {3, 0.004}, {2, 0}})), {{1.7, 5.3}});
}

TEST(SoundCutter, FollowsALevelThatChanges) {
  // Loud noise for a minute, then a minute in which speech is quieter than that noise was.
  std::vector<Stretch> stretches = {{60, 0.3}};
  for (int i = 0; i < 20; ++i) stretches.insert(stretches.end(), {{1, 0}, {2, 0.01}});
  const auto found = cuts(sound(stretches));
  std::int64_t late = 0;
  for (const auto& cut : found) late += cut.begin >= 80 * 25 ? 1 : 0;
  EXPECT_GE(late, 12);  // of 14 that begin after 80 s
}

}  // namespace
}  // namespace raven::transcription
