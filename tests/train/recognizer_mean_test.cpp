#include "train/recognizer_mean.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "raven/artifacts/checkpoint_folder.h"
#include "raven/artifacts/run_files.h"
#include "raven/core/files.h"
#include "raven/nn/state_dict.h"
#include "raven/report/metric_names.h"
#include "raven/train/finetune_task.h"
#include "support/temporary_folder.h"
#include "support/tiny_clips.h"
#include "train/tiny_recognizer.h"

namespace raven::train {
namespace {

using nlohmann::json;
using report::metric;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(InLastShare, LeavesOutWhatLiesBefore) {
  EXPECT_THAT(in_last_share({84, 200, 300, 350, 400}, 0.25), ElementsAre(300, 350, 400));
  EXPECT_THAT(in_last_share({84, 200, 400}, 1), ElementsAre(84, 200, 400));
  EXPECT_THAT(in_last_share({84, 400}, 0.01), ElementsAre(400));
  EXPECT_THAT(in_last_share({0}, 0.25), ElementsAre(0));
  EXPECT_TRUE(in_last_share({}, 0.25).empty());
}

/// Ten epochs' checkpoints of the shortest published fine-tuning (50 epochs) all count.
TEST(InLastShare, IsTheWholeOfAPublishedMean) {
  std::vector<std::int64_t> epochs;
  for (std::int64_t epoch = 41; epoch <= 50; ++epoch) epochs.push_back(epoch * 123);
  EXPECT_EQ(in_last_share(epochs, config::FinetuneCheckpointConfig().average_share), epochs);
}

class RecognizerMeanTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    torch::set_num_threads(1);
    corpus_ = new TemporaryFolder;
    make_tiny_clips(corpus_->path(), {.clips = 4});
  }
  static void TearDownTestSuite() { delete corpus_; }

  static data::Manifest manifest() {
    auto manifest = data::read_manifest(corpus_->path() / "manifest.tsv");
    for (auto& utterance : manifest.utterances) utterance.labels = {2, 3};
    return manifest;
  }
  [[nodiscard]] json told() const {
    return json::parse(read_file(run_.path() / artifacts::kRecognizerRecord));
  }

  static inline TemporaryFolder* corpus_ = nullptr;
  TemporaryFolder run_;
};

TEST_F(RecognizerMeanTest, IsLookedAtBesideTheLastCheckpoint) {
  auto config = tiny_recognizer();
  config.checkpoint.average = config.checkpoint.keep = 2;
  config.checkpoint.average_share = 1;
  const auto save = [&](FinetuneTask& task, std::int64_t step) {
    artifacts::CheckpointFolder(run_.path() / artifacts::kCheckpoints, 2, 0)
        .save({.step = step, .length = 8, .config = config::flatten(config)},
              nn::state_dict(task.module()), {});
  };
  auto other = config;
  other.run.seed = 7;
  FinetuneTask first(other, torch::kCPU, tiny_units(), {});
  save(first, 4);
  FinetuneTask task(config, torch::kCPU, tiny_units(), manifest());
  save(task, 8);
  const auto of_last = task.evaluate({});
  task.export_results(run_.path());
  EXPECT_EQ(told().at("averaged_steps"), json::array({4, 8}));
  const auto file = weights::read_safetensors(run_.path() / artifacts::kRecognizerFile);
  EXPECT_EQ(file.metadata.at("step"), "8");
  EXPECT_EQ(file.metadata.at("steps"), "8");
  FinetuneTask mean(config, torch::kCPU, tiny_units(), manifest(), file);
  const auto of_mean = mean.evaluate({});
  const auto loss = metric("valid_loss");
  EXPECT_DOUBLE_EQ(told().at("held_out").at("last").at(loss), of_last.at(loss));
  EXPECT_DOUBLE_EQ(told().at("held_out").at("mean").at(loss), of_mean.at(loss));
  EXPECT_NE(of_last.at(loss), of_mean.at(loss));
}

TEST_F(RecognizerMeanTest, OrTheCheckpointOfTheBestEvaluation) {
  auto config = tiny_recognizer();
  config.checkpoint.average = config.checkpoint.keep = 2;
  config.validation.keep_best = config::KeptBest::kError;
  const artifacts::BestSoFar best{.step = 4, .value = 0.25, .evaluations_since = 2};
  const auto save = [&](FinetuneTask& task, std::int64_t step) {
    artifacts::CheckpointFolder(run_.path() / artifacts::kCheckpoints, 2, 0)
        .save({.step = step, .length = 8, .config = config::flatten(config), .best = best},
              nn::state_dict(task.module()), {});
  };
  auto other = config;
  other.run.seed = 7;
  FinetuneTask first(other, torch::kCPU, tiny_units(), {});
  save(first, 4);
  FinetuneTask task(config, torch::kCPU, tiny_units(), manifest());
  save(task, 8);
  task.export_results(run_.path());
  const auto file = weights::read_safetensors(run_.path() / artifacts::kRecognizerFile);
  for (const auto& [name, tensor] : nn::state_dict(first.module()))
    EXPECT_TRUE(torch::equal(file.at(name), tensor)) << name;
  EXPECT_TRUE(torch::equal(nn::state_dict(task.module()).front().second,
                           nn::state_dict(first.module()).front().second));
  EXPECT_EQ(file.metadata.at("step"), "4");
  EXPECT_EQ(file.metadata.at("steps"), "8");
  EXPECT_EQ(file.metadata.at("run_step"), "8");
  EXPECT_EQ(file.metadata.at("best_by"), "error");
  EXPECT_EQ(told().at("averaged_steps"), json::array({4}));
  EXPECT_EQ(told().at("best"), 0.25);
}

TEST_F(RecognizerMeanTest, ThatReadsWorseIsWarnedOf) {
  const Numbers mean{{metric("valid_wer_ctc"), 0.97}, {metric("valid_wer_attention"), 0.953}};
  const Numbers last{{metric("valid_wer_ctc"), 0.819}, {metric("valid_wer_attention"), 0.9}};
  tell_mean(run_.path(), {84, 400}, mean, last);
  EXPECT_THAT(told().at("warning"), HasSubstr("WER 95.3 % against 81.9 %"));
  EXPECT_THAT(told().at("warning"), HasSubstr("checkpoint.average=1"));
  tell_mean(run_.path(), {84, 400}, last, mean);
  EXPECT_FALSE(told().contains("warning"));
  tell_mean(run_.path(), {400}, {}, {});
  EXPECT_FALSE(told().contains("held_out"));
}

}  // namespace
}  // namespace raven::train
