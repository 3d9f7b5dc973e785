// Runs of the files in configs/, in this process, on clips made on the spot.
#pragma once

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "e2e/tiny_settings.h"
#include "raven/config/load.h"
#include "raven/config/pretrain_config.h"
#include "raven/config/stages.h"
#include "raven/core/files.h"
#include "raven/text/tokenizer_training.h"
#include "raven/train/stages.h"
#include "support/temporary_folder.h"
#include "support/tiny_clips.h"

namespace raven {

namespace fs = std::filesystem;

inline const fs::path kConfigs = fs::path(RAVEN_SOURCE_DIR) / "configs";

/// The command of a file in configs/ that trains: "pretrain" or "finetune".
inline std::string stage_of_recipe(const fs::path& file) {
  return file.parent_path().filename() == "finetune" ? "finetune" : "pretrain";
}

/// The recipes directly in these folders below configs/ ("" is configs/ itself).
inline std::vector<fs::path> recipes_in(const std::vector<std::string>& folders) {
  std::vector<fs::path> files;
  for (const auto& folder : folders) {
    for (const auto& entry : fs::directory_iterator(kConfigs / folder)) {
      if (entry.path().extension() == ".yaml") files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// A recipe's own value of a key of text, "" where it has none.
inline std::string value_of(const fs::path& recipe, const std::string& key) {
  const auto config = config::stage_named(stage_of_recipe(recipe)).load(recipe, {}, {});
  const auto* field = config.schema.find(key);
  return field == nullptr ? "" : std::get<std::string>(field->get().items.front());
}

class RecipeRuns : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    std::vector<std::string> lines;
    for (const std::string part : {"train", "valid"}) {
      make_tiny_clips(corpus() / part, {.clips = 6, .seed = part == "train" ? 1ULL : 2ULL});
      auto manifest = data::read_manifest(corpus() / part / "manifest.tsv");
      for (auto& utterance : manifest.utterances) {
        utterance.text = std::ssize(lines) % 2 == 0 ? "RED GREEN" : "BLUE";
        lines.push_back(utterance.text);
      }
      data::write_manifest(manifest);
    }
    write_file_atomically(corpus() / "words.model",
                          text::train_sentencepiece(lines, {.kind = text::VocabularyKind::kWord}));
  }
  static void TearDownTestSuite() {
    trained_.clear();
    delete folder_;
  }

  static fs::path corpus() { return folder_->path() / "corpus"; }
  /// Where a folder named in a recipe lies here.
  static fs::path here(const std::string& named) { return folder_->path() / named; }

  /// Data, folders and start of a recipe, and two steps.
  static std::vector<std::string> two_steps(const fs::path& recipe) {
    std::vector<std::string> overrides = {
        "device=cpu",
        "threads=1",
        "data.workers=0",
        "run.dir=" + here(value_of(recipe, "run.dir")).string(),
        "data.manifest=" + (corpus() / "train" / "manifest.tsv").string(),
        "data.valid_manifest=" + (corpus() / "valid" / "manifest.tsv").string(),
        "train.steps=2",
        "optimizer.warmup_steps=1",
        "log.every=1"};
    for (const auto* key : {"model.init", "teacher.video_weights", "teacher.audio_weights"}) {
      const auto start = value_of(recipe, key);
      if (!start.empty()) overrides.push_back(std::string(key) + "=" + here(start).string());
    }
    if (stage_of_recipe(recipe) == "finetune") {
      overrides.push_back("text.model=" + (corpus() / "words.model").string());
      overrides.emplace_back("data.labelled_hours=null");
    }
    return overrides;
  }

  /// What makes networks and inputs of any recipe small; what it does stays.
  static std::vector<std::string> shrunk(const fs::path& recipe) {
    std::vector<std::string> overrides;
    for (const auto& setting : kTinySettings) {
      const auto is = [&](const char* key) { return setting.starts_with(key); };
      if (is("data.") || is("model.")) overrides.push_back(setting);
    }
    overrides.insert(overrides.end(), {"data.video.window=96", "data.valid_max_frames=64"});
    if (stage_of_recipe(recipe) == "finetune") {
      for (const auto* setting : {"dim=16", "heads=2", "ffn_dim=32", "blocks=1"})
        overrides.push_back(std::string("model.decoder.") + setting);
      return overrides;
    }
    for (const auto* loss : {"v2v", "v2a", "a2a", "a2v"}) {
      for (const auto* setting : {"dim=16", "heads=2", "ffn_dim=32"})
        overrides.push_back("model.predictors." + std::string(loss) + "." + setting);
    }
    overrides.emplace_back("monitor.probe_utterances=6");
    const auto teacher = config::load<config::PretrainConfig>(recipe).config.teacher;
    if (teacher.target_blocks) overrides.emplace_back("teacher.target_blocks=1");
    if (teacher.target_block) overrides.emplace_back("teacher.target_block=1");  // there is one
    return overrides;
  }

  /// Trains by `overrides` and looks at what the run leaves.
  static void train(const fs::path& recipe, const std::vector<std::string>& overrides) {
    const auto name = stage_of_recipe(recipe);
    const auto kind = std::ranges::find(train::stages(), name, &train::StageKind::name);
    auto [stage, yaml] = kind->load(recipe, overrides);
    const auto outcome = train::run_session(*stage, {.yaml = yaml, .overrides = overrides});
    EXPECT_EQ(outcome, train::Outcome::kDone);
    const auto run = here(value_of(recipe, "run.dir"));
    EXPECT_TRUE(fs::exists(run / (name == "finetune" ? "recognizer.safetensors" : "encoders")));
    std::map<int, double> losses;  // by step
    std::ifstream lines(run / "metrics.jsonl");
    for (std::string line; std::getline(lines, line);) {
      const auto numbers = nlohmann::json::parse(line);
      if (numbers.contains("loss") && numbers["loss"].is_number())
        losses[numbers["step"].get<int>()] = numbers["loss"].get<double>();
    }
    EXPECT_EQ(losses.size(), 2U) << "reported losses that are numbers";
  }

  /// Trains the recipe, after those whose runs it starts from; each once.
  static void train_shrunk(const fs::path& recipe) {
    if (!trained_.insert(recipe).second) return;
    SCOPED_TRACE(recipe.string());
    for (const auto* key : {"model.init", "teacher.video_weights", "teacher.audio_weights"}) {
      const auto start = value_of(recipe, key);
      if (!start.empty()) train_shrunk(recipe_of_run(start));
    }
    auto overrides = two_steps(recipe);
    const auto small = shrunk(recipe);
    overrides.insert(overrides.end(), small.begin(), small.end());
    train(recipe, overrides);
  }

 private:
  /// The recipe whose run `path` is, or lies in.
  static fs::path recipe_of_run(const std::string& path) {
    for (const auto& file : recipes_in({"", "ablations"})) {
      const auto run = value_of(file, "run.dir");
      if (path == run || path.starts_with(run + "/")) return file;
    }
    throw std::runtime_error("no recipe makes " + path);
  }

  inline static TemporaryFolder* folder_ = nullptr;
  inline static std::set<fs::path> trained_;
};

}  // namespace raven
