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

}  // namespace
}  // namespace raven::config
