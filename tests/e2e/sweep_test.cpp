// `raven sweep` with real runs, tiny ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "e2e/process.h"
#include "e2e/tiny_settings.h"
#include "raven/core/files.h"
#include "support/temporary_folder.h"
#include "support/tiny_clips.h"

namespace raven {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using Json = nlohmann::json;

constexpr const char* kRaven = RAVEN_BINARY_DIR "/bin/raven";

class Sweep : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    corpus_ = new TemporaryFolder;
    make_tiny_clips(corpus_->path() / "train", {.clips = 12});
    make_tiny_clips(corpus_->path() / "valid", {.clips = 6, .seed = 2});
  }
  static void TearDownTestSuite() { delete corpus_; }

  [[nodiscard]] fs::path dir() const { return temporary_.path() / "sweep"; }
  [[nodiscard]] fs::path log() const { return temporary_.path() / "log.txt"; }

  /// What all runs share.
  [[nodiscard]] static std::vector<std::string> overrides() {
    auto all = kTinySettings;
    all.insert(all.end(), kTinyPretraining.begin(), kTinyPretraining.end());
    all.push_back("data.manifest=" + (corpus_->path() / "train" / "manifest.tsv").string());
    all.push_back("data.valid_manifest=" + (corpus_->path() / "valid" / "manifest.tsv").string());
    return all;
  }

  /// A sweep over `variants`, a part of its file.
  [[nodiscard]] std::string file(const std::string& variants) const {
    std::string text = "stage: pretrain\ndir: " + dir().string() + "\noverrides:\n";
    for (const auto& setting : overrides()) text += "  - '" + setting + "'\n";
    const auto path = temporary_.path() / "masks.yaml";
    write_file_atomically(path, text + variants);
    return path.string();
  }

  [[nodiscard]] int sweep(const std::string& variants,
                          const std::vector<std::string>& options = {}) const {
    std::vector<std::string> words = {kRaven, "sweep", file(variants)};
    words.insert(words.end(), options.begin(), options.end());
    return Process(words, log()).wait();
  }

  /// The last value of a number in a run's metrics.jsonl.
  static double last(const fs::path& run, const std::string& name) {
    double value = NAN;
    std::ifstream lines(run / "metrics.jsonl");
    for (std::string line; std::getline(lines, line);) {
      const auto numbers = Json::parse(line);
      if (numbers.contains(name)) value = numbers[name].get<double>();
    }
    return value;
  }

  inline static TemporaryFolder* corpus_ = nullptr;
  TemporaryFolder temporary_;
};

constexpr const char* kTwoMasks = "grid: {mask.prob: [0.2, 0.4]}\nseeds: [1, 2]\n";

TEST_F(Sweep, StoppedAndGoneOnEndsAsIfItHadNotBeenStopped) {
  {
    Process process({kRaven, "sweep", file(kTwoMasks)}, log());
    const auto second = dir() / "prob_0.2-seed_2" / "metrics.jsonl";
    while (!fs::exists(second)) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    process.signal(SIGTERM);
    EXPECT_EQ(process.wait(), 75) << read_file(log());
  }
  EXPECT_THAT(read_file(log()), HasSubstr("stopped by signal 15: 1 of 4 runs are done"));
  EXPECT_TRUE(fs::exists(dir() / "prob_0.2-seed_2" / "checkpoints" / "last"));
  EXPECT_FALSE(fs::exists(dir() / "prob_0.4-seed_1"));
  EXPECT_FALSE(fs::exists(dir() / "sweep.json"));

  ASSERT_EQ(sweep(kTwoMasks), 0) << read_file(log());
  EXPECT_THAT(read_file(log()), HasSubstr("4 of 4 runs done"));
  EXPECT_THAT(read_file(log()), HasSubstr("probe_r2_video"));
  EXPECT_TRUE(fs::exists(dir() / "report.html"));
  // The run that was stopped ends with the numbers of one that was not.
  std::vector<std::string> words = {kRaven, "pretrain", "mask.prob=0.2", "run.seed=2",
                                    "run.dir=" + (temporary_.path() / "alone").string()};
  const auto settings = overrides();
  words.insert(words.end(), settings.begin(), settings.end());
  ASSERT_EQ(Process(words, temporary_.path() / "alone.txt").wait(), 0);
  for (const std::string name : {"loss", "valid_loss", "probe_r2_video"}) {
    EXPECT_EQ(last(dir() / "prob_0.2-seed_2", name), last(temporary_.path() / "alone", name));
  }
  const auto table = Json::parse(read_file(dir() / "sweep.json"));
  ASSERT_EQ(table["variants"].size(), 2U);
  const auto& numbers = table["variants"][0]["numbers"]["valid_loss"];
  const double first = last(dir() / "prob_0.2-seed_1", "valid_loss");
  const double second = last(dir() / "prob_0.2-seed_2", "valid_loss");
  EXPECT_EQ(numbers["n"], 2);
  EXPECT_NEAR(numbers["mean"].get<double>(), (first + second) / 2, 1e-12);
  EXPECT_NEAR(numbers["deviation"].get<double>(), std::abs(first - second) / std::sqrt(2), 1e-12);
  EXPECT_THAT(read_file(dir() / "sweep.tsv"), HasSubstr("prob_0.4\tvalid_loss\t"));
}

TEST_F(Sweep, RefusesAChangeByRunAndKeyAndTakesAnAddition) {
  ASSERT_EQ(sweep("runs: {a: train.steps=4}\n"), 0) << read_file(log());
  EXPECT_EQ(sweep("runs: {a: [train.steps=4, mask.prob=0.3]}\n"), 2);
  EXPECT_THAT(read_file(log()), HasSubstr("a: mask.prob: 0.2 there, 0.3 here"));
  EXPECT_EQ(sweep("runs: {b: train.steps=4}\n"), 2);
  EXPECT_THAT(read_file(log()), HasSubstr("a: was begun, and the sweep has no such run"));
  ASSERT_EQ(sweep("runs: {a: train.steps=4, b: [train.steps=4, mask.prob=0.3]}\n"), 0);
  EXPECT_EQ(Json::parse(read_file(dir() / "sweep.json"))["variants"].size(), 2U);
}

TEST_F(Sweep, TellsARunThatFailsAndTrainsTheOthers) {
  EXPECT_EQ(sweep("runs: {a: [train.steps=4, data.manifest=none.tsv], b: train.steps=4}\n",
                  {"--jobs", "2"}),
            1);
  EXPECT_THAT(read_file(log()), HasSubstr("a failed, exit code 2: "));
  EXPECT_THAT(read_file(log()), HasSubstr("1 of 2 runs are done, 1 failed"));
  EXPECT_TRUE(fs::exists(dir() / "b" / "encoders"));
  EXPECT_EQ(Json::parse(read_file(dir() / "sweep.json"))["runs"][0]["state"], "failed");
}

TEST_F(Sweep, PrintsCommandsAndWritesAnArrayWithoutRunningThem) {
  ASSERT_EQ(sweep(kTwoMasks, {"--print"}), 0);
  const auto commands = read_file(log());
  EXPECT_THAT(commands, testing::StartsWith(kRaven + std::string(" pretrain ")));
  EXPECT_EQ(std::ranges::count(commands, '\n'), 4);
  const auto script = temporary_.path() / "array.sh";
  ASSERT_EQ(sweep(kTwoMasks, {"--slurm", script.string(), "--jobs", "2"}), 0);
  EXPECT_THAT(read_file(script), HasSubstr("#SBATCH --array=0-3%2"));
  EXPECT_FALSE(fs::exists(dir()));
}

}  // namespace
}  // namespace raven
