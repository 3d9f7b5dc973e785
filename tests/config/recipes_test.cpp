// Each file in configs/ is read as a run would read it.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>

#include "raven/config/evaluate_config.h"
#include "raven/config/finetune_config.h"
#include "raven/config/flat_config.h"
#include "raven/config/lm_config.h"
#include "raven/config/load.h"
#include "raven/config/pretrain_config.h"
#include "raven/config/reference.h"
#include "raven/config/stages.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "support/temporary_folder.h"

namespace raven::config {
namespace {

namespace fs = std::filesystem;

const fs::path kConfigs = fs::path(RAVEN_SOURCE_DIR) / "configs";

// Parts of recipes, which name no data.
bool is_fragment(const fs::path& file) {
  const auto folder = file.parent_path().filename();
  return folder == "model" || folder == "method";
}

/// The recipes below configs/`folder`; so many at least, or the loops over them would show nothing.
std::vector<fs::path> files(std::size_t at_least = 90, const std::string& folder = "") {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(kConfigs / folder)) {
    // Sweeps name configurations and are none (sweep_config_test).
    if (entry.path().parent_path().filename() == "sweeps") continue;
    if (entry.path().extension() == ".yaml") found.push_back(entry.path());
  }
  EXPECT_GE(found.size(), at_least) << kConfigs / folder;
  std::sort(found.begin(), found.end());
  return found;
}

PretrainConfig recipe(const std::string& name) {
  return load<PretrainConfig>(kConfigs / name).config;
}

std::string differing(const std::string& name) {
  PretrainConfig base = recipe("lrs3.yaml"), other = recipe(name);
  base.run.dir = other.run.dir;
  return difference(bind(base), bind(other));
}

bool is_finetuning(const fs::path& file) { return file.parent_path().filename() == "finetune"; }
// The command that a file is for, by the folder that it lies in.
const Stage& stage_of_recipe(const fs::path& file) {
  const auto folder = file.parent_path().filename();
  const bool is_named = folder == "finetune" || folder == "evaluate" || folder == "lm";
  return stage_named(is_named ? folder : "pretrain");
}

// The folder that it writes to; empty: beside the model that it is given.
std::string run_folder(const fs::path& file) {
  const AnyConfig config = stage_of_recipe(file).load(file, {}, {.allow_missing = true});
  const auto* key = stage_of_recipe(file).name == EvaluateConfig::kStage ? "out" : "run.dir";
  return std::get<std::string>(config.schema.find(key)->get().items.front());
}

/// What the user has to give: which model is evaluated.
std::vector<std::string> given(const fs::path& file) {
  if (stage_of_recipe(file).name != EvaluateConfig::kStage) return {};
  return {"model=runs/a"};
}

TEST(Recipes, TellTheirStage) {
  for (const fs::path& file : files()) {
    if (!is_fragment(file)) EXPECT_EQ(stage_of(file, {}).name, stage_of_recipe(file).name) << file;
  }
}

TEST(Recipes, AllCanBeRun) {
  int runnable = 0;
  for (const fs::path& file : files()) {
    SCOPED_TRACE(file.string());
    if (is_fragment(file)) {
      load<PretrainConfig>(file, {"run.dir=runs/a", "data.manifest=a.tsv"});
    } else {
      stage_of_recipe(file).load(file, given(file), {});
      ++runnable;
    }
  }
  EXPECT_GE(runnable, 80);
}

TEST(Recipes, ResolvedFilesReadBackToTheSameBytes) {
  for (const fs::path& file : files()) {
    SCOPED_TRACE(file.string());
    const LoadOptions with_gaps = {.allow_missing = true};
    const std::string yaml = stage_of_recipe(file).load(file, {}, with_gaps).yaml;
    const auto& stage = stage_of_recipe(file).name;
    if (stage == FinetuneConfig::kStage) {
      EXPECT_EQ(load_text<FinetuneConfig>(yaml, "resolved", {}, with_gaps).yaml, yaml);
    } else if (stage == LmConfig::kStage) {
      EXPECT_EQ(load_text<LmConfig>(yaml, "resolved", {}, with_gaps).yaml, yaml);
    } else if (stage == EvaluateConfig::kStage) {
      EXPECT_EQ(load_text<EvaluateConfig>(yaml, "resolved", {}, with_gaps).yaml, yaml);
    } else {
      EXPECT_EQ(load_text<PretrainConfig>(yaml, "resolved", {}, with_gaps).yaml, yaml);
    }
  }
}

TEST(Recipes, HaveFoldersOfTheirOwn) {
  std::vector<std::string> folders;
  for (const fs::path& file : files()) {
    if (!is_fragment(file)) folders.push_back(run_folder(file));
  }
  std::erase(folders, "");
  std::sort(folders.begin(), folders.end());
  EXPECT_EQ(std::adjacent_find(folders.begin(), folders.end()), folders.end());
}

TEST(Recipes, OpenWithWhatTheyAre) {
  for (const fs::path& file : files()) {
    EXPECT_EQ(read_file(file).substr(0, 2), "# ") << file;
  }
}

TEST(Recipes, PublishedNumbersOfRaven) {
  const auto base = recipe("lrs3.yaml"), vox = recipe("lrs3_vox2.yaml"),
             large = recipe("large_lrs3_vox2.yaml");
  EXPECT_DOUBLE_EQ(base.optimizer.lr, 3e-3);
  EXPECT_DOUBLE_EQ(base.optimizer.warmup_epochs, 40);
  EXPECT_DOUBLE_EQ(base.train.epochs, 150);
  EXPECT_EQ(base.data.max_frames, 2400);
  EXPECT_EQ(base.model.encoder.blocks, 12);
  EXPECT_DOUBLE_EQ(base.model.encoder.drop_path, 0);
  EXPECT_DOUBLE_EQ(vox.optimizer.lr, 3e-3);
  EXPECT_DOUBLE_EQ(vox.optimizer.warmup_epochs, 20);
  EXPECT_DOUBLE_EQ(large.optimizer.lr, 2e-3);
  EXPECT_DOUBLE_EQ(large.optimizer.warmup_epochs, 30);
  EXPECT_DOUBLE_EQ(large.train.epochs, 150);
  EXPECT_EQ(large.data.max_frames, 900);
  EXPECT_EQ(large.data.valid_max_frames, 155);
  EXPECT_EQ(large.model.encoder.dim, 1024);
  EXPECT_EQ(large.model.encoder.heads, 16);
  EXPECT_EQ(large.model.encoder.ffn_dim, 4096);
  EXPECT_EQ(large.model.encoder.blocks, 24);
  EXPECT_DOUBLE_EQ(large.model.encoder.drop_path, 0.1);
  EXPECT_EQ(large.model.predictors.of["v2a"].dim, 512);
}

TEST(Recipes, PublishedNumbersOfFinetuning) {
  const auto finetune = [](const std::string& name) {
    return load<FinetuneConfig>(kConfigs / "finetune" / name).config;
  };
  const auto low = finetune("vsr_low_large_lrs3_vox2.yaml");
  EXPECT_DOUBLE_EQ(low.optimizer.lr, 1e-3);
  EXPECT_DOUBLE_EQ(low.optimizer.other_lr, 5e-3);
  EXPECT_DOUBLE_EQ(low.optimizer.weight_decay, 0.1);
  EXPECT_DOUBLE_EQ(low.optimizer.layer_decay, 0.6);
  EXPECT_DOUBLE_EQ(low.model.encoder.drop_path, 0.2);
  EXPECT_EQ(low.model.encoder.blocks, 24);
  EXPECT_EQ(low.model.decoder.dim, 256);
  EXPECT_DOUBLE_EQ(low.train.epochs, 50);
  const auto high = finetune("asr_high_large_lrs3_vox2.yaml");
  EXPECT_EQ(high.model.modality, Modality::kAudio);
  EXPECT_DOUBLE_EQ(high.optimizer.other_lr, 2e-3);
  EXPECT_DOUBLE_EQ(high.model.encoder.drop_path, 0.3);
  EXPECT_EQ(high.model.decoder.dim, 1024);
  EXPECT_EQ(high.model.decoder.blocks, 9);
  EXPECT_EQ(high.data.max_frames, 2000);
  EXPECT_DOUBLE_EQ(high.train.epochs, 150);
}

TEST(Recipes, BravenChangesWhatItSays) {
  EXPECT_EQ(differing("braven_base_lrs3.yaml"),
            "model.predictors.v2a.blocks: 2 -> 1\n"
            "mask.audio_prob: null -> 0.4\n"
            "loss.a2a: 1 -> 2\n"
            "teacher.target: last -> average_instance_norm\n");
}

TEST(Recipes, AblationsChangeOneThing) {
  EXPECT_EQ(differing("ablations/a4_mask_prob_0.4.yaml"), "mask.prob: 0.2 -> 0.4\n");
  EXPECT_EQ(differing("ablations/a9_momentum_0.99.yaml"), "teacher.momentum: 0.999 -> 0.99\n");
  EXPECT_EQ(differing("ablations/b1_averaged_targets.yaml"),
            "teacher.target: last -> average_instance_norm\n");
  EXPECT_EQ(differing("ablations/c1_shared_mask.yaml"), "mask.draw: independent -> shared\n");
  EXPECT_EQ(differing("ablations/c2_middle_block.yaml"),
            "teacher.target: last -> average_instance_norm\nteacher.target_blocks: null -> 1\n"
            "teacher.target_block: null -> 6\n");
  EXPECT_EQ(differing("ablations/c3_shared_audio_predictor.yaml"),
            "model.predictors.a2v.kind: transformer -> shared\n");
  EXPECT_EQ(differing("ablations/c6_contrastive_loss.yaml"), "loss.kind: cosine -> contrastive\n");
  EXPECT_EQ(differing("ablations/c7_teacher_crop.yaml"), "teacher.crop: same -> own\n");
  EXPECT_EQ(differing("ablations/c7_masked_teachers.yaml"), "teacher.input: whole -> masked\n");
  EXPECT_EQ(differing("ablations/c8_teacher_statistics_ema.yaml"),
            "teacher.batch_norm: train -> ema\n");
  EXPECT_EQ(differing("ablations/c9_narrow_audio_encoder.yaml"),
            "model.audio_encoder.dim: null -> 256\nmodel.audio_encoder.heads: null -> 4\n"
            "model.audio_encoder.ffn_dim: null -> 1024\n");
  for (const fs::path& file : files(50, "ablations")) {
    if (is_finetuning(file)) continue;
    EXPECT_NE(differing("ablations/" + file.filename().string()), "") << file;
  }
}

/// Every value of a configuration by its key.
template <class Config>
FlatConfig flat(const fs::path& file, const std::vector<std::string>& overrides = {}) {
  return flatten(load<Config>(file, overrides, {.allow_missing = true}).config);
}

/// What `to` has and `from` has not.
FlatConfig changes(const FlatConfig& from, const FlatConfig& to) {
  FlatConfig changed;
  for (const auto& [key, value] : to) {
    if (from.at(key) != value) changed[key] = value;
  }
  return changed;
}

/// The ablations of a stage laid over `base` change what they change in the defaults, to the same
/// values, and nothing else; what is run, and on what, stays the base's.
template <class Config>
void expect_pure_differences(const fs::path& base, std::size_t at_least,
                             const std::string& folder) {
  std::size_t laid = 0;
  for (const auto& file : files(at_least, folder)) {
    if (stage_of_recipe(file).name != Config::kStage) continue;
    SCOPED_TRACE(file.string());
    const auto over = "over=" + file.string();
    const auto named = changes(flat<Config>({}), flat<Config>({}, {over}));
    EXPECT_FALSE(named.empty());
    const auto before = flat<Config>(base), after = flat<Config>(base, {over});
    for (const auto& [key, value] : changes(before, after)) {
      EXPECT_EQ(named.count(key), 1U) << key << " is " << value;
      for (const char* prefix : {"run.", "data.", "train.", "device", "optimizer.lr"})
        EXPECT_FALSE(key.starts_with(prefix)) << key;
    }
    for (const auto& [key, value] : named) EXPECT_EQ(after.at(key), value) << key;
    ++laid;
  }
  EXPECT_GE(laid, at_least);
}

TEST(Recipes, AblationsLieOverAnyConfiguration) {
  expect_pure_differences<PretrainConfig>(kConfigs / "quickstart.yaml", 50, "ablations");
  expect_pure_differences<FinetuneConfig>(kConfigs / "finetune/quickstart_video.yaml", 3,
                                          "ablations/finetune");
  // All but two of them make a run of the quickstart's size.
  for (const auto& file : files(50, "ablations")) {
    if (is_finetuning(file)) continue;
    const auto complaint = [&]() -> std::string {
      try {
        load<PretrainConfig>(kConfigs / "quickstart.yaml", {"over=" + file.string()});
        return "";
      } catch (const ConfigError& error) {
        return error.what();
      }
    }();
    if (file.filename() == "c2_top_8_blocks.yaml" || file.filename() == "c2_middle_block.yaml") {
      EXPECT_THAT(complaint, testing::HasSubstr("the video encoder has 3 blocks"));
    } else {
      EXPECT_EQ(complaint, "") << file;
    }
  }
}

TEST(Recipes, AnAblationIsADifferenceWhereItIsTheSecondBase) {
  const TemporaryFolder folder;
  const auto mine = folder.path() / "mine.yaml", both = folder.path() / "both.yaml";
  write_file_atomically(mine, "data: {manifest: mine.tsv}\nrun: {dir: runs/mine}\n");
  write_file_atomically(
      both, "base: [mine.yaml, " + (kConfigs / "ablations/a8_mlp_predictor.yaml").string() + "]\n");
  const auto changed = changes(flat<PretrainConfig>(mine), flat<PretrainConfig>(both));
  EXPECT_THAT(changed, testing::ElementsAre(testing::Pair("model.predictors.a2a.kind", "mlp"),
                                            testing::Pair("model.predictors.a2v.kind", "mlp"),
                                            testing::Pair("model.predictors.v2a.kind", "mlp"),
                                            testing::Pair("model.predictors.v2v.kind", "mlp")));
}

TEST(Recipes, OfAnotherStageAreNamedAsWhatTheyAre) {
  const auto complaint = [](const auto& read) -> std::string {
    try {
      read();
      return "";
    } catch (const ConfigError& error) {
      return error.what();
    }
  };
  const auto tuning = (kConfigs / "finetune/quickstart_video.yaml").string();
  EXPECT_EQ(complaint([&] { load<PretrainConfig>(tuning); }),
            tuning +
                ": this configures fine-tuning for recognition; run it with: raven finetune "
                "--config " +
                tuning);
  const auto training = (kConfigs / "quickstart.yaml").string();
  EXPECT_THAT(complaint([&] { load<FinetuneConfig>(training); }),
              testing::EndsWith("run it with: raven pretrain --config " + training));
  // A slip is told as one, and so is a key of another stage on the command line.
  EXPECT_THAT(complaint([&] { load<PretrainConfig>(training, {"decode.beam_size=3"}); }),
              testing::HasSubstr("command line: unknown key 'decode'"));
}

TEST(Recipes, AblationsOfFinetuningChangeOneThing) {
  const auto differs = [](const std::string& name) {
    auto base = load<FinetuneConfig>(kConfigs / "finetune/vsr_low_base_lrs3.yaml").config;
    auto other = load<FinetuneConfig>(kConfigs / "ablations/finetune" / name).config;
    base.run.dir = other.run.dir;
    return difference(bind(base), bind(other));
  };
  EXPECT_EQ(differs("c1_ctc_at_encoder_rate.yaml"), "optimizer.ctc_rate: other -> encoder\n");
  EXPECT_EQ(differs("c2_attention_mean_of_utterance.yaml"),
            "loss.attention_norm: none -> utterance\n");
  EXPECT_EQ(differs("c2_attention_mean_of_tokens.yaml"), "loss.attention_norm: none -> tokens\n");
}

TEST(Recipes, WatchNoTestSet) {
  std::size_t watched = 0;
  const auto check = [&](const fs::path& file, const std::string& list) {
    EXPECT_THAT(list, testing::Not(testing::HasSubstr("test"))) << file;
    watched += list.empty() ? 0 : 1;
  };
  for (const auto& file : files()) {
    if (is_fragment(file)) continue;
    const auto& stage = stage_of_recipe(file);
    if (stage.name == "pretrain") check(file, recipe(file.string()).data.valid_manifest);
    if (stage.name == "finetune")
      check(file, load<FinetuneConfig>(file).config.data.valid_manifest);
  }
  EXPECT_GE(watched, 80U);
}

TEST(Recipes, DefaultsAreThePublishedBaseRecipe) {
  PretrainConfig defaults, base = recipe("lrs3.yaml");
  defaults.run.dir = base.run.dir;
  defaults.data.manifest = base.data.manifest;
  defaults.data.valid_manifest = base.data.valid_manifest;
  EXPECT_EQ(difference(bind(defaults), bind(base)), "");
}

}  // namespace
}  // namespace raven::config
