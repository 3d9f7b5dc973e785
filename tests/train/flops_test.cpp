#include "raven/train/flops.h"

#include <gtest/gtest.h>

namespace raven::train {
namespace {

TEST(FrameFlops, StandsInProportionToKnownLayers) {
  config::PretrainConfig config;
  const auto flops = frame_flops(config, 1, 1);
  // Video stem: 44 x 44 positions, 5 x 7 x 7 taps, 64 channels. Stage 1: 22 x 22 positions, four 3
  // x 3 convolutions 64 -> 64. Each later stage has half the positions on a side, rounded up (11,
  // 6, 3), and twice the channels: three such convolutions, one of half the channels, and a 1 x 1
  // one.
  const double stem = 2.0 * 44 * 44 * 245 * 64;
  const auto convolution = [](double side, double channels) {
    return 2.0 * side * side * 9 * channels * channels;
  };
  const auto later = [&](double side, double channels) {
    return (3.5 + 1.0 / 18) * convolution(side, channels);
  };
  const double embedding = 2.0 * 512 * 512;
  EXPECT_NEAR(flops.video_frontend / (stem + 4 * convolution(22, 64) + later(11, 128) +
                                      later(6, 256) + later(3, 512) + embedding),
              1.0, 1e-9);
  // Twelve blocks, one frame: q, k, v, output, positions' projection and a feed-forward layer four
  // times as wide.
  const double block = 2.0 * 512 * 512 * (4 + 1 + 8) + 2.0 * 512 * 3;
  EXPECT_NEAR(flops.transformer / (12 * block), 1.0, 1e-9);
}

TEST(FrameFlops, CountsThePositionsProjectionOncePerBatch) {
  const config::PretrainConfig config;
  const double one = frame_flops(config, 50, 1).transformer;
  const double four = frame_flops(config, 50, 4).transformer;
  const double projection = 12 * 2.0 * 512 * 512 * 99 / 50;  // of 99 positions, for 50 frames
  EXPECT_NEAR((one - four) / (projection * 3 / 4), 1.0, 1e-9);
}

TEST(PretrainFlops, LeavesOutWhatIsNotTrained) {
  config::PretrainConfig all, audio_only;
  audio_only.loss = {.v2v = 0, .v2a = 0, .a2a = 1, .a2v = 0};
  const auto flops = frame_flops(audio_only, 50, 2);
  EXPECT_NEAR(pretrain_flops(audio_only, 50, 2) /
                  (4 * (flops.audio_frontend + flops.transformer) + 3 * flops.predictor),
              1.0, 1e-12);
  EXPECT_GT(pretrain_flops(all, 50, 2), pretrain_flops(audio_only, 50, 2));
}

TEST(PeakFlops, KnowsCommonGpusAndNoOthers) {
  EXPECT_EQ(peak_flops("NVIDIA H100 80GB HBM3", config::Precision::kBf16), 989e12);
  EXPECT_EQ(peak_flops("NVIDIA A100-SXM4-40GB", config::Precision::kTf32), 156e12);
  EXPECT_EQ(peak_flops("NVIDIA A40", config::Precision::kBf16), 149.7e12);
  EXPECT_FALSE(peak_flops("NVIDIA RTX A4000", config::Precision::kBf16).has_value());
  EXPECT_FALSE(peak_flops("Pocket Calculator", config::Precision::kFp32).has_value());
}

}  // namespace
}  // namespace raven::train
