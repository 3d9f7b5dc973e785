#include "raven/config/finetune_config.h"

#include <gmock/gmock.h>

#include "raven/config/load.h"
#include "raven/config/stages.h"
#include "raven/core/error.h"

namespace raven::config {
namespace {

using testing::HasSubstr;

constexpr const char* kGiven =
    "run: {dir: runs/a}\ndata: {manifest: a.tsv}\ntext: {model: a.model}\n";

std::string broken_rule(const std::vector<std::string>& overrides) {
  try {
    load_text<FinetuneConfig>(kGiven, "a.yaml", overrides);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(FinetuneConfig, DefaultsAreThoseOfTheLowResourceRecipes) {
  const auto config = load_text<FinetuneConfig>(kGiven, "a.yaml").config;
  EXPECT_DOUBLE_EQ(config.optimizer.beta2, 0.98);
  EXPECT_DOUBLE_EQ(config.optimizer.max_grad_norm, 5);
  EXPECT_DOUBLE_EQ(config.optimizer.warmup_epochs, 20);
  EXPECT_DOUBLE_EQ(config.loss.ctc_weight, 0.1);
  EXPECT_EQ(config.model.decoder.dim, 256);
  EXPECT_EQ(config.checkpoint.average, 10);
}

TEST(FinetuneConfig, ResolvedFileReadsBackToTheSameBytes) {
  const auto first = load_text<FinetuneConfig>(kGiven, "a.yaml", {"data.labelled_hours=1"});
  EXPECT_EQ(load_text<FinetuneConfig>(first.yaml, "resolved").yaml, first.yaml);
}

TEST(FinetuneConfig, TakesAllHoursByThatWord) {
  EXPECT_FALSE(load_text<FinetuneConfig>(kGiven, "a.yaml", {"data.labelled_hours=all"})
                   .config.data.labelled_hours);
  // What has no such meaning has no such word.
  EXPECT_THROW(load_text<FinetuneConfig>(kGiven, "a.yaml", {"train.steps=all"}), ConfigError);
}

TEST(FinetuneConfig, ChecksRulesAcrossFields) {
  EXPECT_EQ(broken_rule({}), "");
  EXPECT_THAT(broken_rule({"text.model="}), HasSubstr("there is no vocabulary"));
  EXPECT_THAT(broken_rule({"checkpoint.average=11"}), HasSubstr("at most checkpoint.keep 10"));
  EXPECT_THAT(broken_rule({"model.decoder.heads=3"}), HasSubstr("model.decoder.dim is 256"));
  EXPECT_EQ(broken_rule({"model.decoder.heads=3", "loss.ctc_weight=1"}), "");
  EXPECT_THAT(broken_rule({"optimizer.other_lr=1e-6"}), HasSubstr("below optimizer.min_lr"));
  EXPECT_THAT(broken_rule({"optimizer.layer_decay=0"}), HasSubstr("optimizer.layer_decay"));
  EXPECT_THAT(broken_rule({"model.encoder.mask_token=true"}), HasSubstr("sees every frame"));
  const std::string valid = "data.valid_manifest=v.tsv";
  EXPECT_EQ(broken_rule({valid, "validation.keep_best=loss", "validation.patience=3"}), "");
  EXPECT_THAT(broken_rule({valid, "validation.patience=3"}),
              HasSubstr("validation.patience is 3, but validation.keep_best is none"));
  EXPECT_THAT(broken_rule({"validation.keep_best=error"}),
              HasSubstr("but data.valid_manifest gives no held-out data"));
  EXPECT_THAT(broken_rule({valid, "validation.keep_best=error", "validation.every_epochs=0"}),
              HasSubstr("but validation.every_epochs is 0, so nothing is evaluated"));
}

TEST(FinetuneConfig, AsksForPartsOfAModelOnlyWhereThereIsOne) {
  EXPECT_THAT(broken_rule({"model.init_parts=all"}),
              HasSubstr("model.init_parts is all, but model.init is empty"));
  EXPECT_THAT(broken_rule({"model.reinit_blocks=1"}),
              HasSubstr("model.reinit_blocks is 1, but model.init is empty"));
  EXPECT_THAT(broken_rule({"model.init=a", "model.reinit_blocks=13"}),
              HasSubstr("expected at most model.encoder.blocks 12"));
  EXPECT_THAT(broken_rule({"model.init=a", "model.reinit_blocks=1", "model.frozen=encoder"}),
              HasSubstr("would keep those blocks at random"));
  EXPECT_EQ(broken_rule({"model.init=a", "model.reinit_blocks=12", "model.init_parts=all"}), "");
}

TEST(Stages, AreToldByTheKeysOfAFile) {
  EXPECT_EQ(stage_of({}, {"mask.prob=0.4"}).name, "pretrain");
  EXPECT_EQ(stage_of({}, {"loss.ctc_weight=0.4"}).name, "finetune");
  EXPECT_EQ(stage_of({}, {}).name, "pretrain");
  EXPECT_THROW(stage_named("finetun"), ConfigError);
}

}  // namespace
}  // namespace raven::config
