// `raven pretrain` itself, on clips made on the spot.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "e2e/process.h"
#include "e2e/tiny_settings.h"
#include "raven/core/files.h"
#include "raven/core/random.h"
#include "raven/data/manifest.h"
#include "support/temporary_folder.h"
#include "support/tiny_clips.h"

namespace raven {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Pretrain : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    corpus_ = new TemporaryFolder;
    make_tiny_clips(corpus_->path() / "train", {.clips = 16});
    make_tiny_clips(corpus_->path() / "test", {.clips = 6, .seed = 2});
  }
  static void TearDownTestSuite() { delete corpus_; }

  [[nodiscard]] fs::path folder(const std::string& run) const { return temporary_.path() / run; }
  [[nodiscard]] fs::path log(const std::string& run) const {
    return temporary_.path() / (run + ".txt");
  }

  std::vector<std::string> command(const std::string& run,
                                   const std::vector<std::string>& more) const {
    std::vector<std::string> words = {RAVEN_BINARY_DIR "/bin/raven", "pretrain"};
    words.insert(words.end(), kTinySettings.begin(), kTinySettings.end());
    words.insert(words.end(), kTinyPretraining.begin(), kTinyPretraining.end());
    words.push_back("run.dir=" + folder(run).string());
    words.push_back("data.manifest=" + (corpus_->path() / "train" / "manifest.tsv").string());
    words.push_back("data.valid_manifest=" + (corpus_->path() / "test" / "manifest.tsv").string());
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  int pretrain(const std::string& run, const std::vector<std::string>& more = {}) const {
    return Process(command(run, more), log(run)).wait();
  }

  /// Waits until the run has a checkpoint; false when it ends first.
  [[nodiscard]] bool wait_for_checkpoint(const std::string& run) const {
    for (int i = 0; i < 6000; ++i) {
      if (fs::exists(folder(run) / "checkpoints" / "last")) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  /// Step of the newest checkpoint; 0 without one.
  [[nodiscard]] std::int64_t saved_step(const std::string& run) const {
    std::error_code error;
    const auto name = fs::read_symlink(folder(run) / "checkpoints" / "last", error).string();
    return error ? 0 : std::stoll(name.substr(name.find('_') + 1));
  }

  /// Waits until the run saved `step` or a later one; false when that takes more than a minute.
  [[nodiscard]] bool wait_for_step(const std::string& run, std::int64_t step) const {
    for (int i = 0; i < 30000; ++i) {
      if (saved_step(run) >= step) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return false;
  }

  [[nodiscard]] std::string last_model(const std::string& run) const {
    return read_file(folder(run) / "checkpoints" / "last" / "model.safetensors");
  }
  [[nodiscard]] std::vector<nlohmann::json> metrics(const std::string& run) const {
    std::vector<nlohmann::json> lines;
    std::ifstream in(folder(run) / "metrics.jsonl");
    for (std::string line; std::getline(in, line);) lines.push_back(nlohmann::json::parse(line));
    return lines;
  }

  static TemporaryFolder* corpus_;
  TemporaryFolder temporary_;
};

TemporaryFolder* Pretrain::corpus_ = nullptr;

TEST_F(Pretrain, LossFallsAndTheRunFolderIsComplete) {
  ASSERT_EQ(pretrain("run", {"train.steps=60", "checkpoint.every=30"}), 0) << read_file(log("run"));
  std::vector<double> losses, probes;
  std::vector<int> steps;
  for (const auto& line : metrics("run")) {
    if (line.contains("loss")) losses.push_back(line.at("loss"));
    if (line.contains("probe_r2_video")) probes.push_back(line.at("probe_r2_video"));
    steps.push_back(line.at("step"));
  }
  EXPECT_LT(losses.back(), losses.front() - 0.5);
  EXPECT_EQ(probes.size(), 7U);  // steps 0, 10, ..., 60
  EXPECT_TRUE(std::is_sorted(steps.begin(), steps.end()));
  for (const char* file :
       {"config.yaml", "overrides.txt", "environment.json", "log.txt", "metrics.jsonl",
        "curves.svg", "checkpoints/step_00000060/model.safetensors",
        "checkpoints/step_00000060/optimizer.safetensors", "checkpoints/step_00000060/state.json",
        "encoders/video.safetensors", "encoders/audio.safetensors"}) {
    EXPECT_TRUE(fs::exists(folder("run") / file)) << file;
  }
  EXPECT_FALSE(fs::is_empty(folder("run") / "tensorboard"));
  const auto environment = nlohmann::json::parse(read_file(folder("run") / "environment.json"));
  EXPECT_EQ(environment.at("stage"), "pretrain");
}

TEST_F(Pretrain, SaysThatTheMachineIsBusyWithOtherWork) {
  const auto cores = std::thread::hardware_concurrency();
  std::vector<std::unique_ptr<Process>> others;
  for (unsigned i = 0; i < cores; ++i)
    others.push_back(std::make_unique<Process>(
        std::vector<std::string>{"/bin/sh", "-c", "while :; do :; done"}, log("other")));
  ASSERT_EQ(pretrain("busy", {"train.steps=10", "threads=" + std::to_string(cores)}), 0);
  EXPECT_THAT(read_file(log("busy")), HasSubstr("other programs keep"));
}

TEST_F(Pretrain, RecognitionProbesLearnFromTheUtterancesWithText) {
  auto manifest = data::read_manifest(corpus_->path() / "train" / "manifest.tsv");
  manifest.file = corpus_->path() / "train" / "texts.tsv";
  for (std::size_t i = 0; i < manifest.utterances.size(); ++i)
    manifest.utterances[i].text = i % 4 == 0 ? "" : "BLUE RED";
  data::write_manifest(manifest);
  const auto words = (temporary_.path() / "words").string();
  ASSERT_EQ(Process({RAVEN_BINARY_DIR "/bin/raven", "tokenizer", "train", manifest.file.string(),
                     "--kind", "word", "--out", words},
                    log("words"))
                .wait(),
            0)
      << read_file(log("words"));
  const std::vector<std::string> on = {
      "monitor.recognition.enabled=true", "monitor.recognition.text.model=" + words + ".model",
      "monitor.recognition.decoder={dim: 16, heads: 2, ffn_dim: 32, blocks: 1}"};
  auto settings = on;
  settings.push_back("data.manifest=" + manifest.file.string());
  settings.push_back("data.valid_manifest=" + manifest.file.string());
  ASSERT_EQ(pretrain("read", settings), 0) << read_file(log("read"));
  EXPECT_THAT(read_file(log("read")), HasSubstr("learns from 12 of 16 utterances"));
  std::vector<double> losses;
  for (const auto& line : metrics("read")) {
    if (line.contains("recognition_ctc_audio")) losses.push_back(line.at("recognition_ctc_audio"));
    if (line.contains("valid_loss")) {
      EXPECT_TRUE(line.contains("valid_recognition_accuracy_video"));
    }
  }
  ASSERT_GE(losses.size(), 2U);
  EXPECT_LT(losses.back(), losses.front());
  EXPECT_THAT(last_model("read"), HasSubstr("probe_video.ctc.ctc_lo.weight"));
  EXPECT_THAT(read_file(folder("read") / "encoders" / "video.safetensors"),
              testing::Not(HasSubstr("probe")));

  settings.front() = "monitor.recognition.enabled=false";
  EXPECT_EQ(pretrain("read", settings), 2);  // the run has other networks
  EXPECT_THAT(read_file(log("read")), HasSubstr("monitor.recognition.enabled: true there"));

  EXPECT_EQ(pretrain("mute", on), 2);  // these clips have no texts
  EXPECT_THAT(read_file(log("mute")), HasSubstr("no utterance has a usable transcript"));
}

TEST_F(Pretrain, KilledAtAnyMomentItEndsWithTheSameBytes) {
  constexpr std::int64_t kSteps = 120;
  const std::string steps = "train.steps=" + std::to_string(kSteps);
  ASSERT_EQ(pretrain("undisturbed", {steps}), 0) << read_file(log("undisturbed"));
  Random random(7);
  const std::vector<std::string> workers = {"data.workers=0", "data.workers=4", "data.workers=1"};
  for (const auto& given : workers) {
    const auto before = saved_step("killed");
    Process process(command("killed", {steps, given}), log("killed"));
    const auto target = before + 1 + static_cast<std::int64_t>(random.below(24));
    ASSERT_TRUE(wait_for_step("killed", target)) << read_file(log("killed"));
    std::this_thread::sleep_for(std::chrono::microseconds(random.below(20000)));
    process.signal(SIGKILL);
    ASSERT_EQ(process.wait(), -SIGKILL) << "it ended before it was killed";
    EXPECT_GT(saved_step("killed"), before);
    EXPECT_LT(saved_step("killed"), kSteps);
  }
  ASSERT_EQ(pretrain("killed", {steps, "data.workers=2"}), 0) << read_file(log("killed"));
  EXPECT_EQ(last_model("undisturbed"), last_model("killed"));
  std::vector<int> undisturbed, killed;
  for (const auto& line : metrics("undisturbed")) undisturbed.push_back(line.at("step"));
  for (const auto& line : metrics("killed")) killed.push_back(line.at("step"));
  EXPECT_EQ(undisturbed, killed);
}

TEST_F(Pretrain, SignalsEndItWithACheckpointAndCode75) {
  for (const int number : {SIGTERM, SIGINT, SIGUSR1}) {
    const auto run = "run" + std::to_string(number);
    Process process(command(run, {"train.steps=100000", "checkpoint.every=2"}), log(run));
    ASSERT_TRUE(wait_for_checkpoint(run)) << read_file(log(run));
    process.signal(number);
    EXPECT_EQ(process.wait(), 75) << read_file(log(run));
    EXPECT_THAT(read_file(log(run)), HasSubstr("the same command goes on"));
  }
}

TEST_F(Pretrain, DamagedCheckpointIsNamedAndTheOneBeforeIsUsed) {
  ASSERT_EQ(pretrain("a"), 0) << read_file(log("a"));
  ASSERT_EQ(pretrain("b", {"train.steps=21"}), 0) << read_file(log("b"));
  fs::remove_all(folder("b"));
  fs::copy(folder("a"), folder("b"), fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  const auto damaged = folder("b") / "checkpoints" / "step_00000024" / "model.safetensors";
  fs::resize_file(damaged, fs::file_size(damaged) - 1);
  ASSERT_EQ(pretrain("b"), 0) << read_file(log("b"));
  EXPECT_THAT(read_file(log("b")), HasSubstr("refused checkpoint step_00000024"));
  EXPECT_THAT(read_file(log("b")), HasSubstr("goes on after step 21"));
  EXPECT_EQ(last_model("a"), last_model("b"));
}

TEST_F(Pretrain, SecondOwnerAndOtherConfigurationAreRefused) {
  {
    Process owner(command("run", {"train.steps=100000", "checkpoint.every=2"}), log("owner"));
    ASSERT_TRUE(wait_for_checkpoint("run")) << read_file(log("owner"));
    EXPECT_EQ(pretrain("run"), 2);
    EXPECT_THAT(read_file(log("run")), HasSubstr("is in use by process"));
    owner.signal(SIGKILL);
    owner.wait();
  }
  EXPECT_EQ(pretrain("run", {"mask.prob=0.4"}), 2);
  EXPECT_THAT(read_file(log("run")), HasSubstr("mask.prob: 0.2 there, 0.4 here"));
}

TEST_F(Pretrain, MissingDataSaysHowToMakeIt) {
  const auto missing = (temporary_.path() / "nowhere" / "manifest.tsv").string();
  EXPECT_EQ(pretrain("run", {"data.manifest=" + missing}), 2);
  EXPECT_THAT(read_file(log("run")), HasSubstr(missing));
  EXPECT_THAT(read_file(log("run")), HasSubstr("raven prepare"));
  EXPECT_FALSE(fs::exists(folder("run")));
}

TEST_F(Pretrain, ExplodingRunStopsNamesTheTensorAndKeepsTheBatch) {
  const std::vector<std::string> explosive = {"optimizer.lr=1e30", "optimizer.warmup_steps=0"};
  EXPECT_EQ(pretrain("run", explosive), 1);
  EXPECT_THAT(read_file(log("run")), HasSubstr("step 2: NaN or Inf in loss"));
  bool kept = false;
  for (const auto& entry : fs::recursive_directory_iterator(folder("run") / "nan")) {
    kept = kept || entry.path().filename() == "batch_0.safetensors";
  }
  EXPECT_TRUE(kept);
}

}  // namespace
}  // namespace raven
