// `raven tokenizer`, `raven finetune` and `raven average` themselves, on clips made on the spot.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "e2e/finetune_fixture.h"
#include "raven/core/error.h"
#include "raven/weights/safetensors.h"

namespace raven {
namespace {

using testing::HasSubstr;

/// Losses of a run's reports, by step.
std::vector<double> losses_of(const fs::path& run) {
  std::vector<double> losses;
  std::ifstream lines(run / "metrics.jsonl");
  for (std::string line; std::getline(lines, line);) {
    const auto numbers = nlohmann::json::parse(line);
    if (numbers.contains("loss")) losses.push_back(numbers.at("loss"));
  }
  return losses;
}

TEST_F(Finetune, LossFallsAndTheRunFolderIsComplete) {
  ASSERT_EQ(finetune("run"), 0) << read_file(log("run"));
  const auto losses = losses_of(folder("run"));
  std::vector<double> errors;
  std::ifstream lines(folder("run") / "metrics.jsonl");
  for (std::string line; std::getline(lines, line);) {
    const auto numbers = nlohmann::json::parse(line);
    if (numbers.contains("valid_wer_ctc")) errors.push_back(numbers.at("valid_wer_ctc"));
  }
  EXPECT_LT(losses.back(), 0.9 * losses.front());
  EXPECT_GE(errors.size(), 2U);
  for (const char* file : {"config.yaml", "metrics.jsonl", "units.txt", "recognizer.safetensors",
                           "checkpoints/step_00000024/model.safetensors"}) {
    EXPECT_TRUE(fs::exists(folder("run") / file)) << file;
  }
}

TEST_F(Finetune, RanksLearnWhatOneProcessDoes) {
  const std::vector<std::string> settings = {"train.accumulate=4", "train.batch_norm=own",
                                             "train.steps=10",     "optimizer.warmup_steps=2",
                                             "log.every=1",        "model.encoder.dropout=0.1",
                                             "data.max_frames=40"};
  const auto with = [&](const char* more) {
    auto words = settings;
    words.emplace_back(more);
    return words;
  };
  ASSERT_EQ(finetune("alone", settings), 0) << read_file(log("alone")).substr(0, 500);
  const auto alone = losses_of(folder("alone"));
  const auto model = fs::path("checkpoints") / "last" / "model.safetensors";
  const auto expected = weights::read_safetensors(folder("alone") / model);
  ASSERT_EQ(alone.size(), 10U);
  for (const char* ranks : {"ranks=2", "ranks=4"}) {
    ASSERT_EQ(finetune(ranks, with(ranks)), 0) << read_file(log(ranks)).substr(0, 500);
    const auto shared = losses_of(folder(ranks));
    ASSERT_EQ(shared.size(), alone.size());
    for (std::size_t i = 0; i < alone.size(); ++i)
      EXPECT_NEAR(shared[i], alone[i], 1e-6 * alone[i]) << ranks << " step " << i + 1;
    const auto found = weights::read_safetensors(folder(ranks) / model);
    for (const auto& [name, tensor] : expected.tensors) {
      const auto other = found.at(name).to(torch::kFloat64), own = tensor.to(torch::kFloat64);
      EXPECT_LE((other - own).norm().item<double>(),
                1e-5 * std::max(own.norm().item<double>(), 1e-3))
          << ranks << " " << name;
    }
  }
}

TEST_F(Finetune, TheReportOfARunTellsItsWordErrorRate) {
  ASSERT_EQ(finetune("run"), 0) << read_file(log("run"));
  const auto environment = nlohmann::json::parse(read_file(folder("run") / "environment.json"));
  EXPECT_EQ(environment.at("stage"), "finetune");
  fs::remove(folder("run") / "config.json");  // the stage is known without
  ASSERT_EQ(Process({kRaven, "report", folder("run").string()}, log("report")).wait(), 0)
      << read_file(log("report"));
  const auto html = read_file(folder("run") / "report.html");
  EXPECT_THAT(html, HasSubstr("fine-tuning"));
  EXPECT_THAT(html, HasSubstr("% (held-out clips, "));
  EXPECT_THAT(html, HasSubstr("; held-out WER of the "));
  EXPECT_THAT(html, HasSubstr("best WER, held-out clips"));
  EXPECT_EQ(html.find("Cannot be told"), html.npos);
  EXPECT_EQ(html.find("Other numbers"), html.npos);
  const auto svg = read_file(folder("run") / "curves.svg");
  for (const char* title : {"word error rate on held-out clips", "loss", "CTC loss",
                            "attention loss", "accuracy", "learning rate of the encoder"}) {
    EXPECT_THAT(svg, HasSubstr(std::string(">") + title)) << title;
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

TEST_F(Finetune, StoppedBetweenCheckpointsItEndsWithTheSameBytes) {
  const std::vector<std::string> more = {"train.steps=120", "checkpoint.every=60", "log.every=1"};
  ASSERT_EQ(finetune("undisturbed", more), 0);
  Process process(command("stopped", more), log("stopped"));
  const auto metrics = folder("stopped") / "metrics.jsonl";
  for (int i = 0; i < 3000; ++i) {
    if (fs::exists(metrics) && read_file(metrics).find("\"step\":61,") != std::string::npos) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  process.signal(SIGTERM);
  ASSERT_EQ(process.wait(), 75) << read_file(log("stopped"));
  EXPECT_NE(fs::read_symlink(folder("stopped") / "checkpoints" / "last"), "step_00000060");
  ASSERT_EQ(finetune("stopped", more), 0) << read_file(log("stopped"));
  EXPECT_TRUE(recognizer("undisturbed") == recognizer("stopped"));
}

TEST_F(Finetune, GoesOnWithoutWhatItStartedFrom) {
  ASSERT_EQ(finetune("first"), 0);
  const std::vector<std::string> more = {"model.init=" + folder("first").string(),
                                         "model.frozen=frontend", "checkpoint.every=6"};
  ASSERT_EQ(finetune("undisturbed", more), 0);
  Process process(command("second", more), log("second"));
  for (int i = 0; i < 3000 && !fs::exists(folder("second") / "checkpoints" / "last"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  process.signal(SIGKILL);
  process.wait();
  fs::rename(folder("first"), folder("moved"));
  ASSERT_EQ(finetune("second", more), 0) << read_file(log("second"));
  EXPECT_TRUE(recognizer("undisturbed") == recognizer("second"));
  EXPECT_EQ(finetune("third", more), 2);
  EXPECT_THAT(read_file(log("third")), HasSubstr("model.init: there is no"));
}

TEST_F(Finetune, ARunKeepsItsVocabularyAndItsTranscripts) {
  ASSERT_EQ(finetune("run"), 0);
  const auto units = read_file(folder("run") / "units.txt");
  const auto characters = (temporary_.path() / "characters").string();
  ASSERT_EQ(Process({kRaven, "tokenizer", "train", train(), "--kind", "char", "--out", characters},
                    log("tokenizer"))
                .wait(),
            0);
  EXPECT_EQ(finetune("run", {"text.model=" + characters + ".model"}), 2);
  EXPECT_EQ(read_file(folder("run") / "units.txt"), units);
  auto list = read_file(train());
  list.replace(list.find("RED RED"), 7, "RED BLUE");
  const auto other = corpus_->path() / "train" / "other.tsv";
  write_file_atomically(other, list);
  EXPECT_EQ(finetune("run", {"data.manifest=" + other.string(), "train.steps=30"}), 2);
  EXPECT_THAT(read_file(log("run")), HasSubstr("transcripts"));
}

TEST_F(Finetune, ADamagedFileOfWeightsIsNotUsed) {
  ASSERT_EQ(finetune("run"), 0);
  const auto file = temporary_.path() / "damaged.safetensors";
  auto bytes = recognizer("run");
  bytes[bytes.size() - 100] ^= 1;
  std::ofstream(file, std::ios::binary) << bytes;
  EXPECT_EQ(finetune("next", {"model.init=" + file.string()}), 1);
  EXPECT_THAT(read_file(log("next")), HasSubstr("is damaged: its SHA-256"));
  EXPECT_EQ(Process({kRaven, "evaluate", "model=" + file.string(),
                     "data.manifest=" + (corpus_->path() / "test" / "manifest.tsv").string()},
                    log("evaluate"))
                .wait(),
            1);
  EXPECT_THAT(read_file(log("evaluate")), HasSubstr("is damaged: its SHA-256"));
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

TEST_F(Finetune, TheBestRecognizerIsEvaluatedAndExportedAndEndsTheRun) {
  // A rate at which it soon gets worse.
  const std::vector<std::string> settings = {"validation.keep_best=loss", "validation.patience=2",
                                             "optimizer.lr=0.1", "optimizer.other_lr=0.1",
                                             "train.steps=60"};
  ASSERT_EQ(finetune("run", settings), 0) << read_file(log("run"));
  EXPECT_THAT(read_file(log("run")),
              HasSubstr("validation.patience: 2 evaluations were no better"));
  const auto record = nlohmann::json::parse(read_file(folder("run") / "recognizer.json"));
  const auto step = record.at("averaged_steps").at(0).get<int>();
  EXPECT_EQ(record.at("best_by"), "loss");
  EXPECT_EQ(fs::read_symlink(folder("run") / "checkpoints" / "best"),
            fmt::format("step_{:08}", step));
  const auto environment = nlohmann::json::parse(read_file(folder("run") / "environment.json"));
  const auto ended = std::stoi(environment.at("steps").get<std::string>());
  EXPECT_LT(step, ended);
  EXPECT_LT(ended, 60);
  const auto test = (corpus_->path() / "test" / "manifest.tsv").string();
  ASSERT_EQ(
      Process({kRaven, "evaluate", "device=cpu", "threads=1", "model=" + folder("run").string(),
               "data.manifest=" + test, "decode.kind=greedy_ctc"},
              log("evaluate"))
          .wait(),
      0)
      << read_file(log("evaluate"));
  EXPECT_THAT(read_file(log("evaluate")),
              HasSubstr(fmt::format("recognizer.safetensors: step {} of {}, the best on held-out "
                                    "clips by loss",
                                    step, ended)));
  const auto wer =
      nlohmann::json::parse(read_file(folder("run") / "evaluate" / "manifest" / "wer.json"));
  EXPECT_EQ(wer.at("model").at("best_by"), "loss");
  EXPECT_EQ(wer.at("model").at("finished"), true);
  ASSERT_EQ(Process({kRaven, "export", folder("run").string(), folder("out.safetensors").string()},
                    log("export"))
                .wait(),
            0)
      << read_file(log("export"));
  ASSERT_EQ(
      Process({kRaven, "inspect", "--json", folder("out.safetensors").string()}, log("inspect"))
          .wait(),
      0);
  EXPECT_THAT(read_file(log("inspect")), HasSubstr("\"best_by\""));
  // The same command finds nothing left to do; stopped at any moment it ends with the same.
  const auto bytes = recognizer("run");
  ASSERT_EQ(finetune("run", settings), 0);
  EXPECT_EQ(recognizer("run"), bytes);
  for (int i = 0; i < 5; ++i) {
    Process process(command("killed", settings), log("killed"));
    std::this_thread::sleep_for(std::chrono::milliseconds(600 + 300 * i));
    process.signal(SIGKILL);
    if (process.wait() == 0) break;
  }
  ASSERT_EQ(finetune("killed", settings), 0) << read_file(log("killed"));
  EXPECT_EQ(recognizer("killed"), bytes);
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
