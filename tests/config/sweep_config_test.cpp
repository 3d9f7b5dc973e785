#include "raven/config/sweep_config.h"

#include <gmock/gmock.h>

#include "raven/config/load.h"
#include "raven/config/override.h"
#include "raven/config/stages.h"
#include "raven/core/error.h"
#include "raven/core/files.h"

namespace raven::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kStart = "stage: pretrain\ndir: runs/a\n";

SweepConfig sweep(const std::string& rest) {
  return read_sweep_text(kStart + rest, "sweeps/masks.yaml");
}

std::string complaint(const std::string& text) {
  try {
    read_sweep_text(text, "a.yaml");
    return "";
  } catch (const ConfigError& error) {
    return error.what();
  }
}

std::vector<std::string> names(const SweepConfig& config) {
  std::vector<std::string> all;
  for (const auto& variant : config.variants) all.push_back(variant.name);
  return all;
}

TEST(SweepConfig, AGridIsTheProductOfItsAxesInTheirOrder) {
  const auto config = sweep("grid: {mask.prob: [0.1, 0.4], mask.length: [3, 5]}\nseeds: [7, 1]\n");
  EXPECT_EQ(config.name, "masks");
  EXPECT_THAT(names(config), ElementsAre("prob_0.1-length_3", "prob_0.1-length_5",
                                         "prob_0.4-length_3", "prob_0.4-length_5"));
  EXPECT_THAT(config.variants[1].overrides, ElementsAre("mask.prob=0.1", "mask.length=5"));
  EXPECT_THAT(config.seeds, ElementsAre(7, 1));
}

TEST(SweepConfig, NamedRunsHaveTheirOverrides) {
  const auto config = sweep(
      "config: quickstart.yaml\noverrides: [train.steps=9]\n"
      "runs: {plain: , narrow: mask.prob=0.1, wide: [mask.prob=0.4, mask.length=5]}\n");
  EXPECT_EQ(config.config, "quickstart.yaml");
  EXPECT_THAT(config.overrides, ElementsAre("train.steps=9"));
  EXPECT_THAT(names(config), ElementsAre("plain", "narrow", "wide"));
  EXPECT_THAT(config.variants[0].overrides, IsEmpty());
  EXPECT_THAT(config.variants[1].overrides, ElementsAre("mask.prob=0.1"));
  EXPECT_THAT(config.variants[2].overrides, ElementsAre("mask.prob=0.4", "mask.length=5"));
  EXPECT_THAT(config.seeds, IsEmpty());
}

TEST(SweepConfig, NamedRunsTimesAGrid) {
  const auto config =
      sweep("runs: {a: loss.a2a=2, b: loss.a2a=1}\ngrid: {optimizer.lr: [1e-3, 3e-3]}\n");
  EXPECT_THAT(names(config), ElementsAre("a-lr_1e-3", "a-lr_3e-3", "b-lr_1e-3", "b-lr_3e-3"));
  EXPECT_THAT(config.variants[2].overrides, ElementsAre("loss.a2a=1", "optimizer.lr=1e-3"));
}

TEST(SweepConfig, SeedsAloneAreASweep) {
  const auto config = sweep("seeds: [1, 2, 3]\n");
  EXPECT_THAT(names(config), ElementsAre("base"));
  EXPECT_THAT(config.variants[0].overrides, IsEmpty());
}

TEST(SweepConfig, KeysThatEndAlikeAreNamedInFull) {
  const auto config =
      sweep("grid: {model.predictors.a2a.dim: [64], model.predictors.v2a.dim: [64, 128]}\n");
  EXPECT_THAT(names(config),
              ElementsAre("model.predictors.a2a.dim_64-model.predictors.v2a.dim_64",
                          "model.predictors.a2a.dim_64-model.predictors.v2a.dim_128"));
}

TEST(SweepConfig, ValuesReachTheConfigurationAsTheyWereWritten) {
  const auto config = sweep(
      "grid:\n  model.video_frontend.widths:\n    - [8, 8, 16, 16]\n"
      "  teacher.video_weights: ['', 'a, b #1', \"it's\"]\n  mask.audio_prob: [null, 0.4]\n");
  EXPECT_THAT(names(config)[0], "widths_8_8_16_16-video_weights_empty-audio_prob_null");
  EXPECT_THAT(names(config)[2], "widths_8_8_16_16-video_weights_a_b_1-audio_prob_null");
  std::vector<std::string> read;
  for (const auto& variant : config.variants) {
    auto overrides = variant.overrides;
    overrides.insert(overrides.end(), {"run.dir=a", "data.manifest=b"});
    const auto loaded = stage_named("pretrain").load({}, overrides, {});
    const auto value = [&](const char* key) { return loaded.schema.find(key)->get(); };
    EXPECT_EQ(value("model.video_frontend.widths").items.size(), 4U);
    read.push_back(std::get<std::string>(value("teacher.video_weights").items.front()));
    EXPECT_EQ(value("mask.audio_prob").null, variant.name.ends_with("null"));
  }
  EXPECT_THAT(read, ElementsAre("", "", "a, b #1", "a, b #1", "it's", "it's"));
}

TEST(SweepConfig, AnOverrideHoldsAnyText) {
  for (const std::string text : {"runs/a", "a: b", "${x}", "'", "\"\\", "1e3", "null", "[a]"}) {
    const auto config =
        stage_named("pretrain").load({}, {text_override("run.dir", text), "data.manifest=b"}, {});
    EXPECT_EQ(std::get<std::string>(config.schema.find("run.dir")->get().items.front()), text);
  }
}

TEST(SweepConfig, AListOverrideHoldsAnyTexts) {
  const std::vector<std::string> texts = {"runs/a", "a, b", "a: b", "${x}", "'",
                                          "\"\\",   "null", "[a]",  "a #1"};
  const auto config =
      stage_named("pretrain").load({}, {"run.dir=a", list_override("data.manifest", texts)}, {});
  std::vector<std::string> read;
  for (const auto& item : config.schema.find("data.manifest")->get().items)
    read.push_back(std::get<std::string>(item));
  EXPECT_EQ(read, texts);
}

TEST(SweepConfig, SaysWhereAndWhatIsWrong) {
  const auto says = [](const std::string& rest) { return complaint(kStart + rest); };
  EXPECT_THAT(complaint("dir: a\n"), HasSubstr("stage is missing"));
  EXPECT_THAT(complaint("stage: evaluate\ndir: a\n"),
              HasSubstr("a.yaml:1:8: stage is 'evaluate', expected pretrain or finetune"));
  EXPECT_THAT(complaint("stage: pretrain\n"), HasSubstr("dir is missing"));
  EXPECT_THAT(says("gird: {}\n"), HasSubstr("a.yaml:3:1: unknown key 'gird', expected one of"));
  EXPECT_THAT(says("gird: {}\n"), HasSubstr("did you mean 'grid'?"));
  EXPECT_THAT(says("grid: {mask.prob: 0.1}\n"),
              HasSubstr("grid.mask.prob expects a list of values"));
  EXPECT_THAT(says("grid: {mask.prob: [0.1, '0.1']}\n"),
              HasSubstr("two variants would be called 'prob_0.1'"));
  EXPECT_THAT(says("runs: [mask.prob=0.1]\n"), HasSubstr("runs expects names with overrides"));
  EXPECT_THAT(says("runs: {a: mask.prob}\n"), HasSubstr("'mask.prob' is no override"));
  EXPECT_THAT(says("runs: {../a: }\n"), HasSubstr("the run's name '../a' becomes a folder's"));
  EXPECT_THAT(says("runs: {a b: }\n"), HasSubstr("the run's name 'a b'"));
  EXPECT_THAT(says("seeds: 3\n"), HasSubstr("seeds expects a list of whole numbers"));
  EXPECT_THAT(says("seeds: [1, -2]\n"), HasSubstr("a.yaml:3:12: seeds expects whole numbers"));
  EXPECT_THAT(says("seeds: [1, 1]\n"), HasSubstr("seed 1 is given twice"));
  EXPECT_THAT(says("overrides: [run.dir=b]\n"), HasSubstr("the folders of runs follow from dir"));
  EXPECT_THAT(says("seeds: [1]\nruns: {a: run.seed=2}\n"), HasSubstr("seeds gives the seed"));
  EXPECT_EQ(says("runs: {a: run.seed=2}\n"), "");
}

TEST(SweepConfig, RefusesMoreRunsThanAnyoneMeans) {
  std::string axis = "[0";
  for (int i = 1; i < 40; ++i) axis += ", " + std::to_string(i);
  axis += "]";
  EXPECT_THAT(complaint(std::string(kStart) + "grid: {a.b: " + axis + ", a.c: " + axis + "}\n"),
              HasSubstr("more than 1000 runs"));
  EXPECT_THAT(complaint(std::string(kStart) + "grid: {a.b: " + axis + "}\nseeds: " + axis + "\n"),
              HasSubstr("more than 1000 runs"));
}

TEST(SweepConfig, TheExampleIsThreeMasksTimesTwoSeeds) {
  const auto file =
      std::filesystem::path(RAVEN_SOURCE_DIR) / "configs" / "sweeps" / "quickstart_masks.yaml";
  const auto config = read_sweep(file);
  EXPECT_EQ(config.config, "quickstart.yaml");
  EXPECT_THAT(names(config), ElementsAre("prob_0.1", "prob_0.2", "prob_0.4"));
  EXPECT_THAT(config.seeds, ElementsAre(1, 2));
  for (const auto& entry : std::filesystem::directory_iterator(file.parent_path())) {
    SCOPED_TRACE(entry.path().string());
    EXPECT_EQ(read_file(entry.path()).substr(0, 2), "# ");
    const auto shipped = read_sweep(entry.path());
    for (const auto& variant : shipped.variants) {
      auto overrides = shipped.overrides;
      overrides.insert(overrides.end(), variant.overrides.begin(), variant.overrides.end());
      stage_named(shipped.stage)
          .load(std::filesystem::path(RAVEN_SOURCE_DIR) / "configs" / shipped.config, overrides,
                {});
    }
  }
}

}  // namespace
}  // namespace raven::config
