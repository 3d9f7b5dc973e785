#include "raven/data/transforms.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "data/corpus_fixture.h"
#include "raven/core/error.h"
#include "raven/data/sample.h"

namespace raven::data {
namespace {

torch::Tensor cut(const std::vector<std::uint8_t>& frame, const config::VideoInputConfig& config,
                  const Placement& placement) {
  const FrameCutter cutter(config, placement);
  auto out = torch::empty({cutter.side(), cutter.side()}, torch::kUInt8);
  cutter.cut(frame.data(), kStoredSide, out.data_ptr<std::uint8_t>());
  return out;
}

torch::Tensor stored(const std::vector<std::uint8_t>& frame) {
  return torch::tensor(at::ArrayRef<std::uint8_t>(frame), torch::kUInt8)
      .view({kStoredSide, kStoredSide});
}

TEST(FrameCutter, CutsAndMirrorsAtAnyWidth) {
  const auto frame = clip_pixels(1, 4);
  for (const std::int64_t side : {1, 7, 8, 44, 88, 95, 96}) {
    const config::VideoInputConfig config{.crop = side};
    const auto room = kStoredSide - side;
    const auto plain = cut(frame, config, {.top = room, .left = room / 2, .flip = false});
    const auto expected = stored(frame).narrow(0, room, side).narrow(1, room / 2, side);
    EXPECT_TRUE(torch::equal(plain, expected)) << side;
    EXPECT_TRUE(torch::equal(cut(frame, config, {.top = room, .left = room / 2, .flip = true}),
                             expected.flip({1})))
        << side;
  }
}

TEST(FrameCutter, ShrinksByAveragingSquares) {
  const auto frame = clip_pixels(1, 5);
  const config::VideoInputConfig config{.window = 64, .shrink = 2, .crop = 30};
  const auto window = stored(frame).narrow(0, 16, 64).narrow(1, 16, 64);
  const auto sums = window.to(torch::kInt64).view({32, 2, 32, 2}).sum({1, 3});
  const auto expected =
      ((sums + 2).floor_divide(4)).to(torch::kUInt8).narrow(0, 1, 30).narrow(1, 2, 30);
  EXPECT_TRUE(torch::equal(cut(frame, config, {.top = 1, .left = 2, .flip = false}), expected));
  EXPECT_TRUE(
      torch::equal(cut(frame, config, {.top = 1, .left = 2, .flip = true}), expected.flip({1})));
}

/// A colour frame whose pixel (y, x) is R, G, B = 2 y, x, 100.
std::vector<std::uint8_t> colour_frame() {
  std::vector<std::uint8_t> frame;
  for (int y = 0; y < kStoredSide; ++y) {
    for (int x = 0; x < kStoredSide; ++x)
      frame.insert(frame.end(),
                   {static_cast<std::uint8_t>(2 * y), static_cast<std::uint8_t>(x), 100});
  }
  return frame;
}

TEST(FrameCutter, WeighsColoursWithoutRounding) {
  const auto frame = colour_frame();
  // What the published transform has at (y, x), scaled as a grey pixel is: 0.9999 x.
  const auto level = [](double y, double x) {
    return (0.2989 * 2 * y + 0.587 * x + 0.114 * 100) / 0.9999;
  };
  const FrameCutter plain({.crop = 88}, {.top = 3, .left = 5, .flip = false}),
      mirrored({.crop = 88}, {.top = 3, .left = 5, .flip = true}),
      shrunk({.window = 64, .shrink = 2, .crop = 30}, {.top = 1, .left = 2, .flip = false});
  std::vector<float> out(88 * 88);
  plain.cut_colour(frame.data(), 3 * kStoredSide, out.data());
  EXPECT_NEAR(out[0], level(3, 5), 1e-4);
  EXPECT_NEAR(out[10 * 88 + 87], level(13, 92), 1e-4);
  mirrored.cut_colour(frame.data(), 3 * kStoredSide, out.data());
  EXPECT_NEAR(out[10 * 88], level(13, 92), 1e-4);
  shrunk.cut_colour(frame.data(), 3 * kStoredSide, out.data());
  EXPECT_NEAR(out[0], level(18.5, 20.5), 1e-4);  // rows 16 + 2 and on, columns 16 + 4 and on
}

TEST(FrameCutter, RefusesWhatDoesNotFit) {
  EXPECT_THROW(check_video_input({.window = 96, .shrink = 5}), ConfigError);
  EXPECT_THROW(check_video_input({.window = 64, .shrink = 2, .crop = 33}), ConfigError);
  EXPECT_THROW(check_video_input({.window = 97, .crop = 88}), ConfigError);
  EXPECT_NO_THROW(check_video_input({.window = 64, .shrink = 2, .crop = 32}));
  EXPECT_THROW(FrameCutter({}, {.top = 9, .left = 0, .flip = false}), InternalError);
}

TEST(Placement, CoversAllPlacesAndHitsTheCentre) {
  const config::VideoInputConfig config;
  std::set<std::int64_t> tops, lefts;
  std::int64_t flips = 0;
  Random random(3);
  for (int k = 0; k < 1000; ++k) {
    const auto placement = draw_placement(config, random);
    tops.insert(placement.top);
    lefts.insert(placement.left);
    flips += placement.flip ? 1 : 0;
  }
  EXPECT_EQ(tops.size(), 9U);
  EXPECT_EQ(*tops.rbegin(), 8);
  EXPECT_EQ(lefts.size(), 9U);
  EXPECT_NEAR(static_cast<double>(flips), 500, 80);
  EXPECT_EQ(centre_placement(config).top, 4);
  EXPECT_EQ(centre_placement(config).left, 4);
  EXPECT_FALSE(centre_placement(config).flip);
}

TEST(Normalise, BringsAClipToMeanZeroAndDeviationOne) {
  auto samples = clip_samples(10, 1);
  for (auto& x : samples) x = 0.001F * x + 0.5F;
  normalise_waveform(samples);
  double sum = 0, squares = 0;
  for (const double x : samples) {
    sum += x;
    squares += x * x;
  }
  EXPECT_NEAR(sum / static_cast<double>(samples.size()), 0, 1e-4);
  EXPECT_NEAR(squares / static_cast<double>(samples.size()), 1, 1e-4);
}

TEST(Normalise, TurnsSilenceIntoZeros) {
  std::vector<float> samples(640, 0.25F);
  normalise_waveform(samples);
  EXPECT_TRUE(std::all_of(samples.begin(), samples.end(), [](float x) { return x == 0; }));
  normalise_waveform({});
}

TEST(NormaliseVideo, ScalesGreyAsPublishedWeightsDo) {
  const auto video = normalise_video(torch::tensor({0, 100, 255}, torch::kUInt8));
  EXPECT_NEAR(video[0].item<double>(), -0.421 / 0.165, 1e-6);
  EXPECT_NEAR(video[1].item<double>(), (0.9999 * 100 / 255 - 0.421) / 0.165, 1e-6);
  EXPECT_NEAR(video[2].item<double>(), (0.9999 - 0.421) / 0.165, 1e-6);
}

TEST(NormaliseVideo, TakesFloatsAndLeavesThemAsTheyAre) {
  const auto levels = torch::tensor({0.0F, 100.0F, 100.5F, 255.0F});
  const auto before = levels.clone();
  const auto video = normalise_video(levels);
  EXPECT_TRUE(torch::equal(levels, before));
  const auto bytes = normalise_video(torch::tensor({0, 100, 255}, torch::kUInt8));
  EXPECT_EQ(video[1].item<float>(), bytes[1].item<float>());
  EXPECT_NEAR(video[2].item<double>(), (0.9999 * 100.5 / 255 - 0.421) / 0.165, 1e-6);
}

TEST(Batch, CountsRealFrames) {
  Batch batch;
  batch.lengths = torch::tensor({5, 3}, torch::kInt64);
  EXPECT_EQ(batch.num_frames(), 8);
}

TEST(AdaptiveTimeMasks, StayInsideAndAscend) {
  Random random(9);
  for (std::int64_t length = 1; length < 200; ++length) {
    std::int64_t last = -1;
    for (const auto& [begin, end] :
         adaptive_time_masks(length, 10, 25, [&](std::int64_t n) { return random.below(n); })) {
      EXPECT_GT(begin, last);
      EXPECT_LT(begin, end);
      EXPECT_LE(end, length);
      last = end;
    }
  }
}

}  // namespace
}  // namespace raven::data
