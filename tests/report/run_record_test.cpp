#include "report/run_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "raven/core/error.h"
#include "report/lines.h"
#include "report/make_run.h"
#include "support/temporary_folder.h"

namespace raven::report {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Records : public testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path folder() const { return temporary_.path() / "run"; }
  [[nodiscard]] std::filesystem::path set() const { return folder() / "evaluate/test"; }

  TemporaryFolder temporary_;
};

TEST_F(Records, AWholeRunHasNoProblems) {
  make_run(folder());
  const auto run = read_run(folder());
  EXPECT_THAT(run.problems, IsEmpty());
  EXPECT_EQ(run.name, "run");
  EXPECT_EQ(run.value("model.modality"), "video");
  EXPECT_EQ(run.metrics.find("loss")->count(), 20);
  EXPECT_EQ(run.metrics.last_step, 200);
  EXPECT_EQ(run.skipped_by_reason.at("corrupt"), 1);
  EXPECT_EQ(run.skipped.at(0).message, "cut off");
  EXPECT_EQ(run.num_warnings, 1);
  ASSERT_EQ(run.evaluations.size(), 2U);
  const auto& test = run.evaluations[0];
  EXPECT_EQ(test.name, "test");
  EXPECT_EQ(test.rates->wer, 0.4);
  EXPECT_NEAR(test.rates->confidence->second, 0.43, 1e-12);
  ASSERT_EQ(test.rates->tables.size(), 2U);
  EXPECT_EQ(test.rates->tables[0].second[1].numbers[0].second, 3);
  ASSERT_EQ(test.worst.size(), 1U);
  EXPECT_EQ(test.worst[0].words[2].kind, 'D');
  EXPECT_THAT(test.worst[0].crops_png, HasSubstr("PNG"));
  EXPECT_EQ(test.num_utterances, 40);
  ASSERT_EQ(test.attention.size(), 2U);
  EXPECT_EQ(test.attention[0].weights.size(), 3U);
  EXPECT_EQ(test.attention[0].ctc[1].second, "BLUE");
}

TEST_F(Records, ResultsMayLieOneFolderDeeper) {
  make_run(folder());
  std::filesystem::create_directories(folder() / "evaluate/greedy");
  std::filesystem::rename(folder() / "evaluate/test@babble_0dB", folder() / "evaluate/greedy/test");
  std::filesystem::create_directories(folder() / "evaluate/begun");
  write(folder() / "evaluate/begun/decoded.jsonl", "{}\n");
  const auto run = read_run(folder());
  ASSERT_EQ(run.evaluations.size(), 3U);
  EXPECT_EQ(run.evaluations[1].name, "greedy/test");
  EXPECT_EQ(run.evaluations[1].rates->wer, 0.4);
  EXPECT_EQ(run.evaluations[2].name, "test");
  EXPECT_THAT(run.problems,
              ElementsAre("evaluate/begun: is not finished; the same raven evaluate goes on with "
                          "it"));
}

TEST_F(Records, TellTheMeanAndWhichWeightsWereDecoded) {
  make_run(folder());
  write(folder() / "recognizer.json",
        R"({"averaged_steps": [150, 200], "warning": "worse", "held_out": {
            "mean": {"valid_wer_ctc": 0.7, "valid_wer_attention": 0.6},
            "last": {"valid_wer_ctc": 0.5}}})");
  write(folder() / "evaluate/test/wer.json",
        R"({"wer": 0.4, "model": {"weights": "a/b", "step": 3, "steps": 9, "finished": false},
            "search": {"decode.kind": "hybrid"}})");
  const auto run = read_run(folder());
  EXPECT_EQ(run.recognizer->steps.size(), 2U);
  EXPECT_EQ(*run.recognizer->wer_mean, 0.6);
  EXPECT_EQ(*run.recognizer->wer_last, 0.5);
  EXPECT_EQ(run.recognizer->warning, "worse");
  const auto& by = *run.evaluations[0].rates->by;
  EXPECT_EQ(by.weights, "a/b");
  EXPECT_EQ(*by.steps, 9);
  EXPECT_TRUE(by.unfinished);
  EXPECT_EQ(by.search, "hybrid");
  write(folder() / "recognizer.json", R"({"averaged_steps": 3, "held_out": [], "warning": 1})");
  EXPECT_FALSE(read_run(folder()).recognizer->wer_mean);
}

TEST_F(Records, AnEmptyFolderIsARunWithProblems) {
  std::filesystem::create_directories(folder());
  const auto run = read_run(folder());
  EXPECT_THAT(run.problems, Contains(HasSubstr("config.json is missing")));
  EXPECT_THAT(run.problems, Contains("metrics.jsonl is missing"));
  EXPECT_THROW(read_run(folder() / "nowhere"), ConfigError);
}

TEST_F(Records, AFolderOfSomethingElseIsNoRun) {
  std::filesystem::create_directories(folder() / "shards");
  EXPECT_THROW(read_run(folder()), ConfigError);
  write(folder() / "log.txt", "");
  EXPECT_NO_THROW(read_run(folder()));
}

TEST_F(Records, DamagedFilesAreNamedAndTheRestIsRead) {
  make_run(folder());
  write(folder() / "config.json", "{\"a\": ");
  write(folder() / "environment.json", "[1, 2]");
  std::ofstream(folder() / "metrics.jsonl", std::ios::app)
      << "{\"step\": 210, \"loss\": 1\nnull\n[]\n";
  write(set() / "wer.json", "{\"wer\": \"high\"}");
  write(set() / "worst.json", "{\"id\": 3}");
  write(set() / "attention.json", R"({"units": ["a", "b"], "attention": [[1, 2]]})");
  write(set() / "utterances.jsonl", "{}\n{\"words\": 3}\nbad\n");
  const auto run = read_run(folder());
  for (const char* problem :
       {"config.json is damaged", "metrics.jsonl: 3 of 23 lines are damaged",
        "test/wer.json: holds no number 'wer'", "test/worst.json: expected a list",
        "test/attention.json: expected units", "test/utterances.jsonl: 2 damaged lines"}) {
    EXPECT_THAT(run.problems, Contains(HasSubstr(problem))) << problem;
  }
  EXPECT_EQ(run.metrics.find("loss")->count(), 20);
  EXPECT_EQ(run.evaluations.at(0).num_utterances, 1);
}

TEST_F(Records, PicturesOutsideTheSetAreNotShown) {
  make_run(folder());
  write(temporary_.path() / "secret.png", "\x89PNG\r\n\x1a\nsecret");
  std::filesystem::create_symlink(temporary_.path() / "secret.png", set() / "worst/link.png");
  write(set() / "worst/text.png", "no picture");
  for (const std::string name : {"../../../secret.png", "worst/link.png", "worst/text.png",
                                 "worst/none.png", "worst", "/etc/passwd"}) {
    write(set() / "worst.json", R"([{"id": "x", "wer": 1, "crops": ")" + name + "\"}]");
    const auto run = read_run(folder());
    EXPECT_THAT(run.evaluations.at(0).worst.at(0).crops_png, IsEmpty()) << name;
    EXPECT_THAT(run.problems, Contains(HasSubstr("'" + name + "' is not shown"))) << name;
  }
}

TEST_F(Records, WhatALinkOutOfTheRunLeadsToIsNotShown) {
  namespace fs = std::filesystem;
  make_run(folder());
  make_run(temporary_.path() / "other");
  const auto other = temporary_.path() / "other";
  std::ofstream(temporary_.path() / "secret") << "{\"key\": \"hunter2\"}\n";
  for (const auto* name :
       {"config.json", "config.yaml", "overrides.txt", "metrics.jsonl", "skipped.tsv", "log.txt",
        "evaluate/test/wer.json", "evaluate/test/worst.json", "evaluate/test/utterances.jsonl",
        "evaluate/test/attention.json"}) {
    fs::remove(folder() / name);
    fs::create_symlink(temporary_.path() / "secret", folder() / name);
  }
  fs::create_directory_symlink(other / "evaluate/test", folder() / "evaluate/theirs");
  const auto run = read_run(folder());
  EXPECT_THAT(run.config, IsEmpty());
  EXPECT_EQ(run.config_yaml, "");
  EXPECT_THAT(run.overrides, IsEmpty());
  EXPECT_THAT(run.skipped, IsEmpty());
  EXPECT_EQ(run.metrics.lines, 0);
  for (const auto& evaluation : run.evaluations) EXPECT_NE(evaluation.name, "theirs");
  EXPECT_EQ(run.evaluations.at(0).rates, std::nullopt);
  EXPECT_EQ(std::ranges::count_if(run.problems,
                                  [](const auto& problem) {
                                    return problem.find("leads out of the run") !=
                                           std::string::npos;
                                  }),
            11);
}

TEST_F(Records, ARunMayItselfBeReachedByALink) {
  make_run(folder());
  std::filesystem::create_directory_symlink("run", temporary_.path() / "latest");
  EXPECT_THAT(read_run(temporary_.path() / "latest").problems, IsEmpty());
}

TEST_F(Records, DeeplyNestedJsonIsAProblemAndNoCrash) {
  make_run(folder());
  const std::string deep = std::string(2'000'000, '[') + std::string(2'000'000, ']');
  for (const auto* name : {"config.json", "evaluate/test/wer.json", "evaluate/test/worst.json",
                           "evaluate/test/attention.json"})
    std::ofstream(folder() / name) << "{\"wer\": " << deep << "}";
  std::ofstream(folder() / "metrics.jsonl") << "{\"step\": 1, \"a\": " << deep << "}\n";
  std::ofstream(folder() / "evaluate/test/utterances.jsonl")
      << "{\"words\": 1, \"id\": " << deep.substr(1'750'000, 500'000) << "}\n";
  const auto run = read_run(folder());
  EXPECT_THAT(run.problems, Contains(HasSubstr("evaluate/test/wer.json is damaged")));
  EXPECT_THAT(run.problems, Contains(HasSubstr("evaluate/test/utterances.jsonl: 1 damaged line")));
}

TEST_F(Records, NumbersThatWereNotFiniteAreCounted) {
  write(folder() / "metrics.jsonl",
        "{\"step\": 1, \"loss\": null}\n{\"step\": 2, \"loss\": 0.5, \"x\": \"text\"}\n");
  const auto metrics = read_metrics(folder() / "metrics.jsonl");
  EXPECT_EQ(metrics.not_finite.at("loss"), 1);
  EXPECT_EQ(metrics.find("loss")->count(), 1);
  EXPECT_EQ(metrics.track("x"), nullptr);
}

TEST_F(Records, FilesThatAreFoldersAreProblems) {
  make_run(folder());
  for (const char* name :
       {"config.json", "metrics.jsonl", "log.txt", "skipped.tsv", "overrides.txt", "config.yaml"}) {
    std::filesystem::remove(folder() / name);
    std::filesystem::create_directory(folder() / name);
  }
  const auto run = read_run(folder());
  EXPECT_GE(run.problems.size(), 6U);
  EXPECT_EQ(run.evaluations.size(), 2U);
}

TEST(SetNames, TellNoise) {
  const auto noisy = parse_set_name("lrs3@test@babble_-7.5dB");
  EXPECT_EQ(noisy.set, "lrs3@test");
  EXPECT_EQ(noisy.noise, "babble");
  EXPECT_EQ(*noisy.snr_db, -7.5);
  for (const char* name : {"test", "test@babble", "a_b@c", "x@noise_dB", "x@n_3dBx", ""}) {
    EXPECT_EQ(parse_set_name(name).set, name);
    EXPECT_FALSE(parse_set_name(name).snr_db.has_value()) << name;
  }
}

TEST(Lines, LongOnesAreLeftOut) {
  const TemporaryFolder folder;
  write(folder.path() / "f", "one\r\n" + std::string(300'000, 'x') + "\n\nlast");
  std::vector<std::string> lines;
  const auto see = [&](std::string_view line) {
    lines.emplace_back(line);
    return true;
  };
  EXPECT_EQ(for_each_line(folder.path() / "f", 1000, see), 1);
  EXPECT_THAT(lines, ElementsAre("one", "", "last"));
  int seen = 0;
  for_each_line(folder.path() / "f", 1000, [&](std::string_view) { return ++seen < 1; });
  EXPECT_EQ(seen, 1);
  EXPECT_THROW(for_each_line(folder.path(), 1000, see), SystemError);
}

}  // namespace
}  // namespace raven::report
