#include "raven/config/pretrain_config.h"

#include <gmock/gmock.h>

#include "raven/config/load.h"

namespace raven::config {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kGiven = "run: {dir: runs/a}\ndata: {manifest: a.tsv}\n";

std::string broken_rule(const std::vector<std::string>& overrides) {
  try {
    load_text<PretrainConfig>(kGiven, "a.yaml", overrides);
    return "";
  } catch (const ConfigError& error) {
    return error.what();
  }
}

TEST(PretrainConfig, DefaultsNeedOnlyFolderAndManifest) {
  EXPECT_EQ(broken_rule({}), "");
  try {
    load_text<PretrainConfig>("", "a.yaml");
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("run.dir must be given"));
    EXPECT_THAT(error.what(), HasSubstr("data.manifest must be given"));
  }
}

TEST(PretrainConfig, ResolvedFileReadsBackToTheSameBytes) {
  const auto first = load_text<PretrainConfig>(kGiven, "a.yaml", {"mask.audio_prob=0.4"});
  EXPECT_EQ(load_text<PretrainConfig>(first.yaml, "resolved").yaml, first.yaml);
}

TEST(PretrainConfig, ChecksRulesAcrossFields) {
  EXPECT_THAT(
      broken_rule({"model.encoder.heads=7"}),
      HasSubstr("model.encoder.dim is 512 with model.encoder.heads 7, expected an even multiple"));
  EXPECT_THAT(broken_rule({"model.encoder.dim=9", "model.encoder.heads=3"}), HasSubstr("is 9"));
  EXPECT_THAT(broken_rule({"model.predictors.v2a.heads=5"}), HasSubstr("model.predictors.v2a.dim"));
  EXPECT_THAT(broken_rule({"model.video_frontend.widths=[8, 8]"}), HasSubstr("expected 4"));
  EXPECT_THAT(broken_rule({"data.video.shrink=5"}), HasSubstr("does not divide"));
  EXPECT_THAT(broken_rule({"data.video.shrink=2"}),
              HasSubstr("data.video.crop is 88, expected at most 48"));
  EXPECT_THAT(broken_rule({"data.video.window=89"}), HasSubstr("expected an even number"));
  EXPECT_THAT(broken_rule({"data.manifest=[]"}), HasSubstr("empty list"));
  EXPECT_EQ(broken_rule({"data.manifest=[a, b]", "data.list_weights=[1, 2]"}), "");
  EXPECT_THAT(broken_rule({"data.list_weights=[1, 2]"}),
              HasSubstr("data.list_weights holds 2 numbers, data.manifest 1 lists; give one for "
                        "each list"));
  EXPECT_THAT(broken_rule({"data.list_weights=0.5"}),
              HasSubstr("a list that is to count half has 1 where the others have 2"));
  EXPECT_THAT(broken_rule({"data.list_weights=0"}), HasSubstr("each a value in [1, 1000]"));
  EXPECT_FALSE(load_text<PretrainConfig>(kGiven, "a.yaml", {"data.hours=all"}).config.data.hours);
  EXPECT_THAT(broken_rule({"loss={v2a: 0, a2a: 0, a2v: 0}"}),
              HasSubstr("nothing would be learned"));
  EXPECT_THAT(broken_rule({"loss.v2a=0"}), HasSubstr("loss.a2v needs a video teacher"));
  EXPECT_THAT(broken_rule({"loss={a2a: 0, a2v: 0}"}), HasSubstr("loss.v2a needs an audio teacher"));
  EXPECT_THAT(broken_rule({"optimizer.min_lr=1"}), HasSubstr("below optimizer.min_lr 1"));
  EXPECT_THAT(broken_rule({"train.steps=10", "optimizer.warmup_steps=10"}),
              HasSubstr("less than train.steps 10"));
  EXPECT_THAT(broken_rule({"train.epochs=30"}), HasSubstr("optimizer.warmup_epochs is 40"));
  EXPECT_THAT(broken_rule({"train.epochs=1e300"}), HasSubstr("train.epochs=1e300, expected"));
  EXPECT_THAT(broken_rule({"mask.length=9223372036854775807"}), HasSubstr("in [1, 90000]"));
  EXPECT_THAT(broken_rule({"mask.audio_length=90001"}), HasSubstr("in [1, 90000]"));
  EXPECT_THAT(broken_rule({"device=cpu", "train.precision=tf32"}),
              HasSubstr("which CPUs do not have"));
  EXPECT_THAT(broken_rule({"monitor.recognition.enabled=true"}),
              HasSubstr("monitor.recognition.text.units and monitor.recognition.text.model"));
  EXPECT_THAT(
      broken_rule({"monitor.recognition.enabled=true", "monitor.recognition.text.units=a.txt",
                   "monitor.recognition.decoder.heads=7"}),
      HasSubstr("monitor.recognition.decoder.dim"));
}

TEST(PretrainConfig, BrokenRulesHaveThePlaceOfTheirKey) {
  EXPECT_THAT(broken_rule({"loss.v2a=0", "loss.a2v=2"}),
              StartsWith("command line: loss.a2v needs"));
  EXPECT_THAT(broken_rule({"model.encoder.heads=7"}), StartsWith("a.yaml: model.encoder.dim"));
}

TEST(PretrainConfig, FixedTeachersNeedNoLossOfTheirOwn) {
  EXPECT_EQ(broken_rule({"loss.v2a=0", "teacher.video_weights=video.safetensors"}), "");
}

TEST(PretrainConfig, OnlyStudentsStartFromEncoders) {
  EXPECT_EQ(broken_rule({"model.init_video=a.pth", "model.init_audio=runs/b"}), "");
  EXPECT_THAT(broken_rule({"loss.v2a=0", "teacher.video_weights=a.pth", "model.init_video=a.pth"}),
              HasSubstr("model.init_video is given, but no loss trains a video student; weigh one "
                        "of loss.v2v and loss.v2a, or leave it out"));
}

TEST(PretrainConfig, LossesOverMaskedFramesNeedMasks) {
  EXPECT_THAT(broken_rule({"mask.prob=0"}),
              StartsWith("command line: mask.prob is 0, so loss.a2a, which is over masked frames "
                         "only, has no frames; set loss.within_masked_only=false, or loss.a2a=0"));
  EXPECT_THAT(broken_rule({"mask.audio_prob=0"}), HasSubstr("mask.audio_prob is 0, so loss.a2a"));
  EXPECT_THAT(broken_rule({"mask.video_prob=0", "loss.v2v=1"}),
              HasSubstr("mask.video_prob is 0, so loss.v2v"));
  EXPECT_THAT(broken_rule({"mask.video_prob=0", "loss.cross_masked_only=true"}),
              HasSubstr("so loss.v2a, which is over masked frames only, has no frames; set "
                        "loss.cross_masked_only=false"));
  EXPECT_THAT(broken_rule({"mask.audio_prob=0", "loss={a2a: 0, cross_masked_only: true}"}),
              HasSubstr("so loss.a2v"));
  EXPECT_EQ(broken_rule({"mask.prob=0", "loss.within_masked_only=false"}), "");
  EXPECT_EQ(broken_rule({"mask.prob=0", "loss.a2a=0"}), "");
  EXPECT_EQ(broken_rule({"mask.video_prob=0"}), "");
  EXPECT_EQ(broken_rule({"mask.prob=0", "mask.audio_prob=0.2"}), "");
}

TEST(PretrainConfig, PredictorsWithoutLossAreNotChecked) {
  EXPECT_EQ(broken_rule({"model.predictors.v2v.heads=5"}), "");
  EXPECT_EQ(broken_rule({"model.predictors.v2a.heads=5", "model.predictors.v2a.kind=linear"}), "");
}

TEST(PretrainConfig, OneMaskForBothFollowsOneSetting) {
  EXPECT_EQ(broken_rule({"mask.draw=shared"}), "");
  EXPECT_EQ(broken_rule({"mask.draw=shared", "mask.audio_prob=0.2"}), "")
      << "the same as mask.prob";
  EXPECT_THAT(
      broken_rule({"mask.draw=shared", "mask.audio_prob=0.4"}),
      StartsWith("command line: mask.draw is shared, but mask.prob is 0.2 for video and 0.4 "
                 "for audio; one mask for both follows mask.prob"));
  EXPECT_THAT(broken_rule({"mask.draw=shared", "mask.video_length=5"}),
              HasSubstr("mask.length is 5 for video and 3 for audio"));
}

TEST(PretrainConfig, TargetsAreOverBlocksThatThereAre) {
  EXPECT_EQ(broken_rule({"teacher.target=average", "teacher.target_blocks=12"}), "");
  EXPECT_THAT(broken_rule({"teacher.target_blocks=3"}),
              HasSubstr("teacher.target_blocks is given, but teacher.target is last: only an "
                        "average has it"));
  EXPECT_THAT(broken_rule({"teacher.target=average", "teacher.target_blocks=13"}),
              HasSubstr("teacher.target_blocks is 13, but the video encoder has 12 blocks"));
  EXPECT_THAT(broken_rule({"teacher.target=average", "teacher.target_blocks=7",
                           "model.audio_encoder.blocks=6"}),
              HasSubstr("is 7, but the audio encoder has 6 blocks"));
  EXPECT_EQ(broken_rule({"teacher.target=average", "teacher.target_block=6"}), "");
  EXPECT_THAT(broken_rule({"teacher.target_block=6"}),
              HasSubstr("teacher.target_block is given, but teacher.target is last"));
  EXPECT_THAT(broken_rule({"teacher.target=average", "teacher.target_block=13"}),
              HasSubstr("teacher.target_block is 13, but the video encoder has 12 blocks"));
  EXPECT_THAT(
      broken_rule({"teacher.target=average", "teacher.target_block=6", "teacher.target_blocks=7"}),
      HasSubstr("teacher.target_blocks is 7, but up to teacher.target_block 6 there are 6"));
}

TEST(PretrainConfig, PredictorsHaveTheSettingsOfTheirKind) {
  EXPECT_EQ(
      broken_rule({"model.predictors.v2a.drop_path=0.1", "model.predictors.v2a.layer_scale=0.1"}),
      "");
  EXPECT_EQ(broken_rule(
                {"model.predictors.v2a.kind=mlp_batch_norm", "model.predictors.v2a.mlp_layers=3"}),
            "");
  EXPECT_THAT(
      broken_rule({"model.predictors.v2a.mlp_layers=3"}),
      HasSubstr("model.predictors.v2a.mlp_layers is given, but model.predictors.v2a.kind is "
                "transformer: only mlp or mlp_batch_norm has it"));
  EXPECT_THAT(broken_rule({"model.predictors.v2a={kind: linear, drop_path: 0.1}"}),
              HasSubstr("model.predictors.v2a.drop_path is given"));
  EXPECT_THAT(broken_rule({"model.predictors.v2a={kind: mlp, layer_scale: 0.1}"}),
              HasSubstr("only transformer has it"));
}

TEST(PretrainConfig, ASharedPredictorIsThere) {
  EXPECT_EQ(broken_rule({"model.predictors.a2v.kind=shared"}), "");
  EXPECT_THAT(broken_rule({"model.predictors.a2a.kind=shared"}),
              HasSubstr("is shared, but a2a is the audio student's first loss"));
  EXPECT_THAT(broken_rule({"model.predictors.v2a.kind=shared"}),
              HasSubstr("model.predictors.v2a.kind is shared, but loss.v2v is 0"));
  EXPECT_EQ(broken_rule({"model.predictors.v2a.kind=shared", "loss.v2v=1"}), "");
  EXPECT_THAT(broken_rule({"model.predictors.a2v.kind=shared", "model.video_encoder.dim=256"}),
              HasSubstr("targets of a2v and a2a are 256 and 512 wide"));
}

TEST(PretrainConfig, LossesHaveTheSettingsOfTheirKind) {
  EXPECT_EQ(broken_rule({"loss.kind=smooth_l1", "loss.beta=2"}), "");
  EXPECT_EQ(broken_rule({"loss.kind=contrastive", "loss.temperature=0.2"}), "");
  EXPECT_THAT(broken_rule({"loss.kind=l2", "loss.beta=2"}),
              HasSubstr("loss.beta is given, but loss.kind is l2: only smooth_l1 has it"));
  EXPECT_THAT(broken_rule({"loss.temperature=0.2"}), HasSubstr("only contrastive has it"));
  EXPECT_THAT(broken_rule({"loss.kind=contrastive", "loss.temperature=0"}), HasSubstr("above 0"));
}

TEST(PretrainConfig, MaskedTeachersNeedMasks) {
  EXPECT_EQ(broken_rule({"teacher.input=masked"}), "");
  EXPECT_THAT(broken_rule({"teacher.input=masked", "mask.prob=0", "loss.within_masked_only=false"}),
              HasSubstr("teacher.input is masked, but mask.prob is 0"));
}

TEST(PretrainConfig, ATeachersOwnCropNeedsPicturesAndRoom) {
  EXPECT_EQ(broken_rule({"teacher={input: masked, crop: own}"}), "");
  EXPECT_THAT(broken_rule({"teacher.crop=own", "loss.a2v=0"}),
              HasSubstr("no loss has video targets"));
  EXPECT_THAT(broken_rule({"teacher.crop=own", "data.video={crop: 96, flip: 0}"}),
              HasSubstr("there is nothing to draw"));
}

TEST(PretrainConfig, EncodersMayDifferInSize) {
  const auto config =
      load_text<PretrainConfig>(kGiven, "a.yaml", {"model.audio_encoder={dim: 256, heads: 4}"})
          .config;
  const auto audio = config.model.encoder_of(Modality::kAudio);
  EXPECT_EQ(audio.dim, 256);
  EXPECT_EQ(audio.heads, 4);
  EXPECT_EQ(audio.blocks, 12);
  EXPECT_EQ(config.model.encoder_of(Modality::kVideo).dim, 512);
  EXPECT_THAT(broken_rule({"model.video_encoder.dim=100"}),
              HasSubstr("model.video_encoder.dim is 100 with model.video_encoder.heads 8"));
  EXPECT_THAT(broken_rule({"model.video_encoder.dim=256", "model.predictors.v2a.kind=none"}),
              HasSubstr("model.predictors.v2a.kind is none, but the video student is 256 wide and "
                        "audio targets 512"));
}

}  // namespace
}  // namespace raven::config
