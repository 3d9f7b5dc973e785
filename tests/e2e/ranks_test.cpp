// Several processes train one model, and what becomes of it when one of them fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/fmt/fmt.h>

#include <chrono>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "e2e/process.h"
#include "e2e/tiny_settings.h"
#include "raven/core/files.h"
#include "support/temporary_folder.h"
#include "support/tiny_clips.h"

namespace raven {
namespace {

namespace fs = std::filesystem;
using testing::AnyOf;
using testing::Contains;
using testing::Each;
using testing::HasSubstr;

using Words = std::vector<std::string>;

class Ranks : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    corpus_ = new TemporaryFolder;
    make_tiny_clips(corpus_->path() / "train", {.clips = 16});
    make_tiny_clips(corpus_->path() / "other", {.clips = 12, .seed = 2});
  }
  static void TearDownTestSuite() { delete corpus_; }

  static Words command(const std::string& run, const Words& more) {
    Words words = {RAVEN_BINARY_DIR "/bin/raven", "pretrain"};
    words.insert(words.end(), kTinySettings.begin(), kTinySettings.end());
    words.insert(words.end(), kTinyPretraining.begin(), kTinyPretraining.end());
    for (const auto* setting : {"train.accumulate=2", "train.batch_norm=own", "log.every=1",
                                "distributed.lost_s=4", "distributed.join_s=20"})
      words.emplace_back(setting);
    words.push_back("data.manifest=" + (corpus_->path() / "train" / "manifest.tsv").string());
    words.push_back("run.dir=" + run);
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  /// One rank as a launcher starts it.
  struct Started {
    std::int64_t rank = 0, size = 2;
    int port = 0;
    Words more = {};
  };
  std::unique_ptr<Process> start(const std::string& run, const Started& how) {
    if (port_ == 0) port_ = 20000 + static_cast<int>(::getpid() % 20000);
    Words words = {"/usr/bin/env", "RANK=" + std::to_string(how.rank),
                   "WORLD_SIZE=" + std::to_string(how.size), "MASTER_ADDR=127.0.0.1",
                   "MASTER_PORT=" + std::to_string(how.port == 0 ? port_ : how.port)};
    const auto rest = command(folder(run).string(), how.more);
    words.insert(words.end(), rest.begin(), rest.end());
    return std::make_unique<Process>(words, log(run, how.rank));
  }
  std::vector<std::unique_ptr<Process>> start_all(const std::string& run, std::int64_t size,
                                                  const Words& more = {}) {
    ++port_;  // the one before may be in use for a moment
    std::vector<std::unique_ptr<Process>> all;
    for (std::int64_t rank = 0; rank < size; ++rank)
      all.push_back(start(run, {.rank = rank, .size = size, .more = more}));
    return all;
  }
  static std::vector<int> codes(std::vector<std::unique_ptr<Process>>& all) {
    std::vector<int> codes;
    for (auto& one : all) codes.push_back(one->wait());
    return codes;
  }
  std::vector<int> train(const std::string& run, std::int64_t size, const Words& more = {}) {
    auto all = start_all(run, size, more);
    return codes(all);
  }

  [[nodiscard]] fs::path folder(const std::string& run) const { return temporary_.path() / run; }
  [[nodiscard]] fs::path log(const std::string& run, std::int64_t rank) const {
    return temporary_.path() / fmt::format("{}_{}.txt", run, rank);
  }
  [[nodiscard]] std::string said(const std::string& run, std::int64_t rank) const {
    return read_file(log(run, rank));
  }
  [[nodiscard]] std::string last_model(const std::string& run) const {
    return read_file(folder(run) / "checkpoints" / "last" / "model.safetensors");
  }
  [[nodiscard]] std::vector<nlohmann::json> reports(const std::string& run) const {
    std::vector<nlohmann::json> lines;
    std::ifstream in(folder(run) / "metrics.jsonl");
    for (std::string line; std::getline(in, line);) {
      auto report = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
      if (report.contains("loss")) lines.push_back(std::move(report));
    }
    return lines;
  }
  /// Until the run has reported that step; false when that takes longer than a minute.
  [[nodiscard]] bool wait_for_step(const std::string& run, std::int64_t step) const {
    for (int i = 0; i < 3000; ++i) {
      const auto lines = reports(run);
      if (!lines.empty() && lines.back().at("step") >= step) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return false;
  }
  /// Of a run of two ranks that nothing happened to.
  const std::string& undisturbed() {
    static std::string model;
    if (model.empty()) {
      EXPECT_THAT(train("undisturbed", 2), Each(0)) << said("undisturbed", 0).substr(0, 500);
      model = last_model("undisturbed");
    }
    return model;
  }
  void expect_goes_on_to_the_same_end(const std::string& run) {
    ASSERT_THAT(train(run, 2), Each(0)) << said(run, 0).substr(0, 500);
    EXPECT_TRUE(last_model(run) == undisturbed()) << "other weights than those of a run as it was";
  }

  static TemporaryFolder* corpus_;
  TemporaryFolder temporary_;
  int port_ = 0;
};

TemporaryFolder* Ranks::corpus_ = nullptr;

TEST_F(Ranks, OfOneMachineAreStartedByOneCommand) {
  const auto run = folder("run").string();
  ASSERT_EQ(Process(command(run, {"ranks=2"}), log("run", 0)).wait(), 0)
      << said("run", 0).substr(0, 500);
  EXPECT_TRUE(fs::exists(folder("run") / "encoders" / "video.safetensors"));
  EXPECT_TRUE(last_model("run") == undisturbed());
  const auto line = reports("run").back();
  EXPECT_EQ(line.at("ranks"), 2);
  EXPECT_GE(line.at("ranks_wait_share"), 0);
  const auto facts = nlohmann::json::parse(read_file(folder("run") / "environment.json"));
  EXPECT_EQ(facts.at("ranks"), "2");
}

TEST_F(Ranks, EndWhenOneIsKilled) {
  for (const std::size_t killed : {0U, 1U}) {
    const auto run = fmt::format("killed_{}", killed);
    auto ranks = start_all(run, 2);
    ASSERT_TRUE(wait_for_step(run, 5));
    ranks[killed]->signal(SIGKILL);
    const auto ended = codes(ranks);
    EXPECT_EQ(ended[1 - killed], 75);
    EXPECT_THAT(said(run, static_cast<std::int64_t>(1 - killed)),
                HasSubstr(fmt::format("rank {} (", killed)));
    expect_goes_on_to_the_same_end(run);
  }
}

TEST_F(Ranks, EndWhenOneIsStopped) {
  for (const std::size_t stopped : {0U, 1U}) {
    const auto run = fmt::format("stopped_{}", stopped);
    auto ranks = start_all(run, 2);
    ASSERT_TRUE(wait_for_step(run, 5));
    ranks[stopped]->signal(SIGSTOP);
    EXPECT_EQ(ranks[1 - stopped]->wait(), 75);
    EXPECT_THAT(said(run, static_cast<std::int64_t>(1 - stopped)),
                HasSubstr(fmt::format("rank {} (", stopped)));
    ranks[stopped]->signal(SIGCONT);
    EXPECT_EQ(ranks[stopped]->wait(), 75);
    expect_goes_on_to_the_same_end(run);
  }
}

TEST_F(Ranks, StopTogetherWhenOneIsAskedTo) {
  for (const std::size_t asked : {0U, 1U}) {
    const auto run = fmt::format("asked_{}", asked);
    auto ranks = start_all(run, 2);
    ASSERT_TRUE(wait_for_step(run, 5));
    ranks[asked]->signal(SIGTERM);
    EXPECT_THAT(codes(ranks), Each(75));
    expect_goes_on_to_the_same_end(run);
  }
}

/// It lives and is heard of, but does not come to where the others wait.
TEST_F(Ranks, EndWhenOneHangs) {
  ++port_;
  ::setenv("LD_PRELOAD", RAVEN_BINARY_DIR "/faults/libfault_hangs.so", 1);
  std::vector<std::unique_ptr<Process>> ranks;
  for (const int rank : {0, 1})
    ranks.push_back(start("hangs", {.rank = rank, .more = {"distributed.hang_s=3"}}));
  ::unsetenv("LD_PRELOAD");
  ASSERT_TRUE(wait_for_step("hangs", 5));
  ranks[1]->signal(SIGUSR2);
  EXPECT_THAT(codes(ranks), Each(75));
  for (const int rank : {0, 1}) EXPECT_THAT(said("hangs", rank), HasSubstr("a hang: for ")) << rank;
  EXPECT_THAT(said("hangs", 0), HasSubstr("rank 1 ("));
  expect_goes_on_to_the_same_end("hangs");
}

TEST_F(Ranks, RefuseWhatTheyWereStartedWithOtherwise) {
  const auto pair = [&](const std::string& run, const Words& of_first, const Words& of_second) {
    ++port_;
    std::vector<std::unique_ptr<Process>> both;
    both.push_back(start(run, {.rank = 0, .more = of_first}));
    both.push_back(start(run, {.rank = 1, .more = of_second}));
    return codes(both);
  };
  port_ = 20000 + static_cast<int>(::getpid() % 20000);
  EXPECT_THAT(pair("rate", {}, {"optimizer.lr=0.5"}), Each(2));
  for (const int rank : {0, 1})
    EXPECT_THAT(said("rate", rank), HasSubstr("optimizer.lr: 0.003 of rank 0, 0.5 of rank 1"));
  EXPECT_FALSE(fs::exists(folder("rate")));
  EXPECT_THAT(pair("threads", {}, {"threads=2"}), Each(2));
  EXPECT_THAT(said("threads", 0), HasSubstr("number of threads: 1 of rank 0, 2 of rank 1"));
  const auto other = "data.manifest=" + (corpus_->path() / "other" / "manifest.tsv").string();
  EXPECT_THAT(pair("lists", {}, {other}), Each(2));
  EXPECT_THAT(pair("count", {}, {"ranks=3"}), Each(2));
  EXPECT_THAT(pair("unknown", {}, {"optimiser.lr=0.5"}), Each(2));
  EXPECT_THAT(said("unknown", 0), HasSubstr("rank 1 failed: command line: unknown key"));
  EXPECT_THAT(pair("first", {"optimiser.lr=0.5"}, {}), Each(2));
  EXPECT_THAT(said("first", 1), HasSubstr("rank 0 failed: command line: unknown key"));
}

TEST_F(Ranks, StopWhileTheyWaitForOthers) {
  ++port_;
  auto alone = start("early", {.rank = 0});
  std::this_thread::sleep_for(std::chrono::seconds(2));
  alone->signal(SIGTERM);
  EXPECT_EQ(alone->wait(), 75);
  EXPECT_THAT(said("early", 0), HasSubstr("stopped before all ranks had come"));
}

TEST_F(Ranks, TellTheOthersWhatOneFailsBecauseOf) {
  ++port_;
  auto first = start("failed", {.rank = 0});
  auto second = start("failed", {.rank = 1, .more = {"data.workers=1", "device=cuda"}});
  EXPECT_EQ(second->wait(), 2);
  EXPECT_EQ(first->wait(), 2);
  EXPECT_THAT(said("failed", 0), HasSubstr("rank 1 ("));
  EXPECT_THAT(said("failed", 0), HasSubstr("device=cpu runs without"));
}

TEST_F(Ranks, NameWhoIsMissingOrThereTwice) {
  ++port_;
  auto alone = start("missing", {.rank = 0, .more = {"distributed.join_s=2"}});
  EXPECT_EQ(alone->wait(), 1);
  EXPECT_THAT(said("missing", 0), HasSubstr("1 of 2 ranks are here; missing: 1"));
  ++port_;
  auto nobody = start("nobody", {.rank = 1, .more = {"distributed.join_s=2"}});
  EXPECT_EQ(nobody->wait(), 1);
  EXPECT_THAT(said("nobody", 1), HasSubstr("could not reach rank 0 at 127.0.0.1:"));
  ++port_;
  auto first = start("twice", {.rank = 0, .size = 3});
  auto second = start("twice", {.rank = 1, .size = 3});
  std::this_thread::sleep_for(std::chrono::seconds(2));
  auto again = start("twice_again", {.rank = 1, .size = 3});
  EXPECT_EQ(again->wait(), 1);
  EXPECT_EQ(first->wait(), 1);
  EXPECT_EQ(second->wait(), 1);
  EXPECT_THAT(said("twice", 0), HasSubstr("two processes were started as rank 1"));
}

TEST_F(Ranks, GoOnWithAnotherNumberOfThem) {
  const Words twelve = {"train.accumulate=3", "train.steps=12", "checkpoint.every=100",
                        "optimizer.warmup_steps=1"};
  ASSERT_THAT(train("alone", 1, twelve), Each(0)) << said("alone", 0).substr(0, 500);
  int end = 0;
  for (const std::int64_t ranks : {4, 2, 3, 1}) {
    end += 3;
    auto some = twelve;
    some.push_back(fmt::format("train.steps={}", end));
    ASSERT_THAT(train("many", ranks, some), Each(0)) << said("many", 0).substr(0, 500);
  }
  const auto alone = reports("alone"), many = reports("many");
  ASSERT_EQ(alone.size(), 12U);
  ASSERT_EQ(many.size(), 12U);
  for (std::size_t i = 0; i < 3; ++i)  // later steps are those of runs of other lengths
    EXPECT_NEAR(alone[i].at("loss"), many[i].at("loss"), 1e-3) << i;
  EXPECT_EQ(alone.back().at("epoch"), many.back().at("epoch"));
}

}  // namespace
}  // namespace raven
