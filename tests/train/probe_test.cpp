#include "raven/train/probe.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace raven::train {
namespace {

torch::Tensor tone(double hz, std::int64_t frames, double loudness = 0.5) {
  const auto t = torch::arange(640 * frames, torch::kFloat64) / 16000.0;
  return (loudness * torch::sin(2 * std::numbers::pi * hz * t)).to(torch::kFloat32);
}

TEST(LogMel, HasOneRowPerVideoFrame) {
  EXPECT_EQ(log_mel(tone(440, 7)).sizes(), (std::vector<std::int64_t>{7, kMelBands}));
}

TEST(LogMel, ATonePeaksInItsBand) {
  // 42 points equally apart in mel from 60 Hz to 8 kHz: 1 kHz lies next to band 13 (980 Hz).
  for (const auto& [hz, band] : {std::pair{1000.0, 13}, std::pair{4000.0, 29}}) {
    const auto row = log_mel(tone(hz, 5))[2];
    EXPECT_NEAR(static_cast<double>(row.argmax().item<std::int64_t>()), band, 1.0) << hz;
  }
}

TEST(LogMel, TenTimesLouderAddsTheLogarithmOfAHundred) {
  const auto soft = log_mel(tone(1000, 3, 0.05))[1].max(),
             loud = log_mel(tone(1000, 3, 0.5))[1].max();
  EXPECT_NEAR((loud - soft).item<double>(), std::log(100.0), 1e-2);
}

TEST(LogMel, SilenceIsFinite) {
  EXPECT_TRUE(torch::isfinite(log_mel(torch::zeros({1280}))).all().item<bool>());
}

RidgeData linear_data(std::int64_t count, double noise) {
  const auto x = torch::randn({count, 8});
  const auto w = torch::arange(24).view({8, 3}).to(torch::kFloat32) / 10;
  return {.features = x, .targets = x.mm(w) + 3 + noise * torch::randn({count, 3})};
}

TEST(Ridge, ScoresOneOnALinearRelation) {
  torch::manual_seed(2);
  EXPECT_GT(ridge_r2(linear_data(4000, 0), linear_data(500, 0)), 0.999);
}

TEST(Ridge, ScoresAboutZeroOnNoise) {
  torch::manual_seed(2);
  const RidgeData fit{torch::randn({4000, 8}), torch::randn({4000, 3})};
  const RidgeData score{torch::randn({4000, 8}), torch::randn({4000, 3})};
  EXPECT_NEAR(ridge_r2(fit, score), 0.0, 0.02);
}

TEST(Ridge, StandsConstantFeatures) {
  const RidgeData data{torch::ones({10, 4}), torch::randn({10, 2})};
  EXPECT_TRUE(std::isfinite(ridge_r2(data, data)));
}

}  // namespace
}  // namespace raven::train
