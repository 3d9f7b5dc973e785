#include "raven/train/flops.h"

#include <gtest/gtest.h>

namespace raven::train {
namespace {

TEST(FrameFlops, StandsInProportionToKnownLayers) {
  config::PretrainConfig config;
  const auto flops = frame_flops(config, 1);
  // Video stem: 44 x 44 positions, 5 x 7 x 7 taps, 64 channels. Stage 1: 22 x 22 positions, four 3
  // x 3 convolutions 64 -> 64. Each later stage has a quarter of the positions and twice the
  // channels: 3.5 instead of 4 such convolutions of the same cost, and a 1 x 1 one.
  const double stem = 2.0 * 44 * 44 * 245 * 64;
  const double convolution = 2.0 * 22 * 22 * 9 * 64 * 64;
  const double later = 3.5 * convolution + convolution / 18;
  const double embedding = 2.0 * 512 * 512;
  EXPECT_NEAR(flops.video_frontend / (stem + 4 * convolution + 3 * later + embedding), 1.0, 1e-9);
  // Twelve blocks, one frame: q, k, v, output, positions' projection and a feed-forward layer four
  // times as wide.
  const double block = 2.0 * 512 * 512 * (4 + 2 + 8) + 2.0 * 512 * 3;
  EXPECT_NEAR(flops.transformer / (12 * block), 1.0, 1e-9);
}

TEST(PretrainFlops, LeavesOutWhatIsNotTrained) {
  config::PretrainConfig all, audio_only;
  audio_only.loss = {.v2v = 0, .v2a = 0, .a2a = 1, .a2v = 0};
  const auto flops = frame_flops(audio_only, 50);
  EXPECT_NEAR(pretrain_flops(audio_only, 50) /
                  (4 * (flops.audio_frontend + flops.transformer) + 3 * flops.predictor),
              1.0, 1e-12);
  EXPECT_GT(pretrain_flops(all, 50), pretrain_flops(audio_only, 50));
}

TEST(PeakFlops, KnowsCommonGpusAndNoOthers) {
  EXPECT_EQ(peak_flops("NVIDIA H100 80GB HBM3", config::Precision::kBf16), 989e12);
  EXPECT_EQ(peak_flops("NVIDIA A100-SXM4-40GB", config::Precision::kTf32), 156e12);
  EXPECT_FALSE(peak_flops("Pocket Calculator", config::Precision::kFp32).has_value());
}

}  // namespace
}  // namespace raven::train
