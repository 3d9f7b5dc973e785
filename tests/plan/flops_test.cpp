#include "raven/plan/flops.h"

#include <gtest/gtest.h>

namespace raven::plan {
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
  EXPECT_NEAR(flops.video_transformer / (12 * block), 1.0, 1e-9);
  EXPECT_EQ(flops.audio_transformer, flops.video_transformer);
}

TEST(FrameFlops, CountPredictorsAndLossesByHand) {
  config::PretrainConfig config;
  config.loss.weight = config::PerLoss<double>(0);
  config.loss.weight["a2a"] = config.loss.weight["a2v"] = 1;
  config.model.audio_encoder = {.dim = 6, .heads = 2, .ffn_dim = 8, .blocks = 1};
  config.model.video_encoder.dim = 10;
  auto& predictors = config.model.predictors.of;
  predictors["a2a"] = {.kind = config::PredictorKind::kMlpBatchNorm, .dim = 7};
  predictors["a2a"].mlp_layers = 3;
  predictors["a2v"] = {.kind = config::PredictorKind::kLinear};
  const double networks = 2.0 * (6 * 7 + 7 * 7 + 7 * 6) + 2.0 * 6 * 10;
  EXPECT_DOUBLE_EQ(frame_flops(config, 5, 3).predictor, networks);
  config.loss.kind = config::LossKind::kContrastive;  // with 15 frames
  EXPECT_DOUBLE_EQ(frame_flops(config, 5, 3).predictor, networks + 2.0 * 15 * (6 + 10));
  config.model.video_encoder.dim = 6;
  config.loss.kind = config::LossKind::kCosine;
  predictors["a2v"].kind = config::PredictorKind::kShared;
  EXPECT_DOUBLE_EQ(frame_flops(config, 5, 3).predictor, 2.0 * (6 * 7 + 7 * 7 + 7 * 6));
  // One block: four products and the positions' 6 x 6, a feed-forward layer of 8, attention over 5.
  EXPECT_DOUBLE_EQ(frame_flops(config, 5, 3).audio_transformer,
                   2.0 * 36 * 4 + 2.0 * 36 * 9 / 15 + 2.0 * 2 * 6 * 8 + 2.0 * 6 * (5 + 9 + 5));
}

TEST(FrameFlops, CountsThePositionsProjectionOncePerBatch) {
  const config::PretrainConfig config;
  const double one = frame_flops(config, 50, 1).video_transformer;
  const double four = frame_flops(config, 50, 4).video_transformer;
  const double projection = 12 * 2.0 * 512 * 512 * 99 / 50;  // of 99 positions, for 50 frames
  EXPECT_NEAR((one - four) / (projection * 3 / 4), 1.0, 1e-9);
}

TEST(PretrainFlops, LeavesOutWhatIsNotTrained) {
  config::PretrainConfig all, audio_only;
  audio_only.loss.weight = config::PerLoss<double>(0);
  audio_only.loss.weight["a2a"] = 1;
  const auto flops = frame_flops(audio_only, 50, 2);
  const double encoder = flops.audio_frontend + flops.audio_transformer;
  const auto step = pretrain_flops(audio_only, 50, 2);
  EXPECT_NEAR(step.forward / (2 * encoder + flops.predictor), 1.0, 1e-12);  // student and teacher
  EXPECT_NEAR(step.backward / (2 * (encoder + flops.predictor)), 1.0, 1e-12);
  EXPECT_GT(pretrain_flops(all, 50, 2).total(), step.total());
}

TEST(PretrainFlops, LeaveOutATeachersBlocksBehindItsTarget) {
  config::PretrainConfig config;
  const auto all = pretrain_flops(config, 50, 2);
  config.teacher.target = config::TargetKind::kAverage;
  config.teacher.target_block = 3;
  const auto flops = frame_flops(config, 50, 2);
  const auto step = pretrain_flops(config, 50, 2);
  const double left_out = 0.75 * (flops.video_transformer + flops.audio_transformer);
  EXPECT_NEAR((all.forward - step.forward) / left_out, 1.0, 1e-9);
  EXPECT_EQ(step.backward, all.backward);
}

TEST(FinetuneFlops, CountsALayerOfEachKindByHand) {
  config::FinetuneConfig config;
  config.model.frozen = config::FrozenPart::kEncoder;  // leaves head and decoder
  config.model.encoder.dim = 10;
  config.model.decoder = {.dim = 4, .heads = 2, .ffn_dim = 6, .blocks = 1};
  const LabelledBatch batch{.frames = 20, .clips = 3, .labels = 4, .units = 7};
  // CTC head, 10 x 7 a frame. Decoder: a projection 10 x 4 and keys and values 4 x 4 a frame; for
  // each of 4 + 1 units read four products 4 x 4, twice 5 scores of width 4, queries and output 4 x
  // 4, twice 20 scores of width 4, 4 x 6 twice, and 4 x 7.
  const double of_frame = 2.0 * (10 * 7 + 10 * 4 + 2 * 4 * 4);
  const double of_unit = 2.0 * (4 * 16 + 2 * 5 * 4 + 2 * 16 + 2 * 20 * 4 + 2 * 4 * 6 + 4 * 7);
  const auto flops = finetune_flops(config, batch);
  EXPECT_NEAR(flops.forward, of_frame + of_unit * 5 / 20, 1e-9);
  EXPECT_NEAR(flops.backward, 2 * flops.forward, 1e-9);
}

TEST(FinetuneFlops, PaysForAFrozenPartOnlyWhereItIsNotCached) {
  config::FinetuneConfig config;
  const LabelledBatch batch{.frames = 50, .clips = 2, .labels = 10};
  const auto whole = finetune_flops(config, batch);
  config.model.frozen = config::FrozenPart::kFrontend;
  const auto cached = finetune_flops(config, batch);
  config.model.cached_views = 0;
  const auto anew = finetune_flops(config, batch);
  EXPECT_DOUBLE_EQ(anew.forward, whole.forward);
  EXPECT_DOUBLE_EQ(anew.backward, cached.backward);
  EXPECT_LT(cached.forward, anew.forward);
  EXPECT_LT(anew.backward, whole.backward);
}

TEST(PeakFlops, KnowsCommonGpusAndNoOthers) {
  EXPECT_EQ(peak_flops("NVIDIA H100 80GB HBM3", config::Precision::kBf16), 989e12);
  EXPECT_EQ(peak_flops("NVIDIA A100-SXM4-40GB", config::Precision::kTf32), 156e12);
  EXPECT_EQ(peak_flops("NVIDIA A40", config::Precision::kBf16), 149.7e12);
  EXPECT_FALSE(peak_flops("NVIDIA RTX A4000", config::Precision::kBf16).has_value());
  EXPECT_FALSE(peak_flops("Pocket Calculator", config::Precision::kFp32).has_value());
}

}  // namespace
}  // namespace raven::plan
