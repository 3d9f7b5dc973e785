// `raven tokenizer`, `raven finetune` and `raven average` themselves, on clips made on the spot.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "e2e/process.h"
#include "raven/core/files.h"
#include "raven/data/manifest.h"
#include "support/temporary_folder.h"
#include "support/tiny_clips.h"

namespace raven {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr const char* kRaven = RAVEN_BINARY_DIR "/bin/raven";

class Finetune : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    corpus_ = new TemporaryFolder;
    const std::vector<std::string> words = {"RED", "GREEN", "BLUE"};
    for (const std::string part : {"train", "test"}) {
      make_tiny_clips(corpus_->path() / part, {.clips = 12, .seed = part == "train" ? 1ULL : 2ULL});
      auto manifest = data::read_manifest(corpus_->path() / part / "manifest.tsv");
      for (std::size_t i = 0; i < manifest.utterances.size(); ++i)
        manifest.utterances[i].text = words[i % 3] + " " + words[i / 3 % 3];
      data::write_manifest(manifest);
    }
    ASSERT_EQ(Process({kRaven, "tokenizer", "train", train(), "--kind", "word", "--out",
                       (corpus_->path() / "words").string()},
                      corpus_->path() / "tokenizer.txt")
                  .wait(),
              0)
        << read_file(corpus_->path() / "tokenizer.txt");
  }
  static void TearDownTestSuite() { delete corpus_; }

  static std::string train() { return (corpus_->path() / "train" / "manifest.tsv").string(); }
  [[nodiscard]] fs::path folder(const std::string& run) const { return temporary_.path() / run; }
  [[nodiscard]] fs::path log(const std::string& run) const {
    return temporary_.path() / (run + ".txt");
  }

  std::vector<std::string> command(const std::string& run,
                                   const std::vector<std::string>& more) const {
    std::vector<std::string> words = {
        kRaven,
        "finetune",
        "device=cpu",
        "threads=1",
        "data.workers=0",
        "data.max_frames=64",
        "data.video.shrink=4",
        "data.video.crop=20",
        "model.encoder.dim=16",
        "model.encoder.heads=2",
        "model.encoder.ffn_dim=32",
        "model.encoder.blocks=1",
        "model.video_frontend.widths=[4,4,8,8]",
        "model.audio_frontend.widths=[4,4,8,8]",
        "model.decoder={dim: 16, heads: 2, ffn_dim: 32, blocks: 1}",
        "optimizer.warmup_steps=3",
        "train.steps=24",
        "log.every=4",
        "checkpoint.every_epochs=null",
        "checkpoint.every=3",
        "checkpoint.average=3",
        "run.dir=" + folder(run).string(),
        "data.manifest=" + train(),
        "data.valid_manifest=" + (corpus_->path() / "test" / "manifest.tsv").string(),
        "text.model=" + (corpus_->path() / "words.model").string()};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  int finetune(const std::string& run, const std::vector<std::string>& more = {}) const {
    return Process(command(run, more), log(run)).wait();
  }
  [[nodiscard]] std::string recognizer(const std::string& run) const {
    return read_file(folder(run) / "recognizer.safetensors");
  }

  static TemporaryFolder* corpus_;
  TemporaryFolder temporary_;
};

TemporaryFolder* Finetune::corpus_ = nullptr;

TEST_F(Finetune, LossFallsAndTheRunFolderIsComplete) {
  ASSERT_EQ(finetune("run"), 0) << read_file(log("run"));
  std::vector<double> losses, errors;
  std::ifstream lines(folder("run") / "metrics.jsonl");
  for (std::string line; std::getline(lines, line);) {
    const auto numbers = nlohmann::json::parse(line);
    if (numbers.contains("loss")) losses.push_back(numbers.at("loss"));
    if (numbers.contains("valid_wer_ctc")) errors.push_back(numbers.at("valid_wer_ctc"));
  }
  EXPECT_LT(losses.back(), 0.9 * losses.front());
  EXPECT_GE(errors.size(), 2U);
  for (const char* file : {"config.yaml", "metrics.jsonl", "units.txt", "recognizer.safetensors",
                           "checkpoints/step_00000024/model.safetensors"}) {
    EXPECT_TRUE(fs::exists(folder("run") / file)) << file;
  }
}

TEST_F(Finetune, KilledAtAnyMomentItEndsWithTheSameBytes) {
  for (const std::string frozen : {"none", "frontend"}) {
    const std::vector<std::string> more = {"train.steps=60", "model.frozen=" + frozen};
    ASSERT_EQ(finetune("undisturbed_" + frozen, more), 0);
    const auto run = "killed_" + frozen;
    for (const int saved : {1, 4}) {
      Process process(command(run, more), log(run));
      for (int i = 0; i < 3000 && !fs::exists(folder(run) / "checkpoints" / "last"); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      std::this_thread::sleep_for(std::chrono::milliseconds(37 * saved));
      process.signal(SIGKILL);
      process.wait();
    }
    ASSERT_EQ(finetune(run, more), 0) << read_file(log(run));
    EXPECT_EQ(recognizer("undisturbed_" + frozen), recognizer(run)) << frozen;
  }
}

TEST_F(Finetune, AverageEqualsWhatTheRunWrote) {
  ASSERT_EQ(finetune("run"), 0) << read_file(log("run"));
  std::vector<std::string> words = {kRaven, "average"};
  for (const char* step : {"step_00000018", "step_00000021", "step_00000024"})
    words.push_back((folder("run") / "checkpoints" / step).string());
  const auto out = temporary_.path() / "mean.safetensors";
  words.insert(words.end(), {"--out", out.string()});
  ASSERT_EQ(Process(words, log("average")).wait(), 0) << read_file(log("average"));
  EXPECT_EQ(read_file(out), recognizer("run"));
}

TEST_F(Finetune, EvaluationRepeatsItselfAlsoAfterAKill) {
  ASSERT_EQ(finetune("run"), 0) << read_file(log("run"));
  const auto evaluate = [&](const std::string& out) {
    return std::vector<std::string>{
        kRaven,
        "evaluate",
        "device=cpu",
        "threads=1",
        "model=" + folder("run").string(),
        "data.manifest=" + (corpus_->path() / "test" / "manifest.tsv").string(),
        "decode.beam_size=4",
        "out=" + folder(out).string()};
  };
  const auto results = [&](const std::string& out) {
    std::string bytes;
    for (const char* file :
         {"hyp.trn", "ref.trn", "alignments.txt", "utterances.jsonl", "wer.json", "worst.json"})
      bytes += read_file(folder(out) / "manifest" / file);
    return bytes;
  };
  ASSERT_EQ(Process(evaluate("first"), log("first")).wait(), 0) << read_file(log("first"));
  ASSERT_EQ(Process(evaluate("second"), log("second")).wait(), 0);
  EXPECT_EQ(results("first"), results("second"));
  EXPECT_EQ(
      nlohmann::json::parse(read_file(folder("first") / "manifest" / "wer.json")).at("utterances"),
      12);
  {
    Process process(evaluate("killed"), log("killed"));
    const auto progress = folder("killed") / "manifest" / "decoded.jsonl";
    for (int i = 0; i < 20000 && !fs::exists(progress); ++i)
      std::this_thread::sleep_for(std::chrono::microseconds(500));
    process.signal(SIGKILL);
    process.wait();
  }
  ASSERT_EQ(Process(evaluate("killed"), log("killed")).wait(), 0) << read_file(log("killed"));
  EXPECT_EQ(results("first"), results("killed"));
}

TEST_F(Finetune, EvaluationRefusesWhatIsNoRecognizerAndResultsInOnePlace) {
  ASSERT_EQ(finetune("run"), 0) << read_file(log("run"));
  const auto manifest = (corpus_->path() / "test" / "manifest.tsv").string();
  const auto evaluate = [&](const std::string& models) {
    return Process({kRaven, "evaluate", "device=cpu", "threads=1", "model=" + models,
                    "data.manifest=" + manifest, "decode.kind=greedy_ctc",
                    "out=" + folder("out").string()},
                   log("evaluate"))
        .wait();
  };
  EXPECT_EQ(evaluate((corpus_->path() / "words.model").string()), 1);
  EXPECT_EQ(evaluate(folder("none").string()), 1);
  EXPECT_THAT(read_file(log("evaluate")), HasSubstr("expected a recognizer .safetensors"));
  const auto run = folder("run").string();
  EXPECT_EQ(evaluate("[" + run + "," + run + "]"), 2);
  EXPECT_THAT(read_file(log("evaluate")), HasSubstr("would replace those of an earlier"));
}

TEST_F(Finetune, SaysWhatIsWrongWithItsInput) {
  EXPECT_EQ(finetune("a", {"text.model=/none.model"}), 2);
  EXPECT_THAT(read_file(log("a")), HasSubstr("/none.model"));
  EXPECT_EQ(finetune("b", {"data.labelled_hours=5"}), 2);
  EXPECT_THAT(read_file(log("b")), HasSubstr("data.labelled_hours asks for 5"));
  EXPECT_NE(finetune("c", {"model.init=" + temporary_.path().string()}), 0);
  EXPECT_FALSE(fs::exists(folder("b")));
}

}  // namespace
}  // namespace raven
