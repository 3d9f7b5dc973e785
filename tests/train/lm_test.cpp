// A language model: its text, its batches, its yardstick, and a run of the stage.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "raven/artifacts/model_export.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/random.h"
#include "raven/report/metric_names.h"
#include "raven/report/page.h"
#include "raven/text/tokenizer_training.h"
#include "raven/train/lm_stage.h"
#include "raven/train/lm_task.h"
#include "raven/train/lm_text.h"
#include "raven/train/sentence_batches.h"
#include "raven/train/stages.h"
#include "support/rank_metrics.h"
#include "support/temporary_folder.h"

namespace raven::train {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class Lm : public testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& content) const {
    write_file_atomically(folder_.path() / name, content);
    return (folder_.path() / name).string();
  }
  /// Every word is a unit: ids follow from the words' counts.
  std::string words_model(const std::vector<std::string>& lines) const {
    return file("words.model",
                text::train_sentencepiece(lines, {.kind = text::VocabularyKind::kWord}));
  }
  std::unique_ptr<text::Tokenizer> tokenizer(const std::vector<std::string>& lines) const {
    return text::make_tokenizer({.units_file = {}, .model_file = words_model(lines)});
  }
  [[nodiscard]] fs::path run() const { return folder_.path() / "run"; }

  TemporaryFolder folder_;
};

std::vector<std::string> texts(const SentenceSet& set, const text::Units& units) {
  std::vector<std::string> lines;
  for (std::int64_t i = 0; i < set.sentences.size(); ++i) {
    const auto sentence = set.sentences[i];
    lines.push_back(units.detokenise(std::vector<std::int64_t>(sentence.begin(), sentence.end())));
  }
  return lines;
}

TEST_F(Lm, ReadsTextAndListsWithoutWhatOthersHold) {
  const auto tokens = tokenizer({"A B C D"});
  config::SentenceDataConfig config;
  config.text = {file("text.txt", "a b\n\n--\nC D.\r\nb a\n"),
                 file("list.tsv",
                      "id\tframes\taudio\ttext\nx\t25\tx.wav\tD D\ny\t25\ty.wav\tA C\n"
                      "z\t25\tz.wav\t\n")};
  config.exclude = {file("test.tsv", "id\tframes\taudio\ttext\nt\t25\tt.wav\ta, c\n")};
  config.valid_text = file("valid.txt", "B A\n");
  const auto text = read_lm_text(config, *tokens);
  EXPECT_THAT(texts(text.training, tokens->units()), ElementsAre("A B", "C D", "D D"));
  EXPECT_THAT(texts(text.held_out, tokens->units()), ElementsAre("B A"));
  EXPECT_EQ(text.excluded, 2);  // B A and A C
  EXPECT_EQ(text.without, 3);   // two lines and z
  EXPECT_EQ(text.training.words, 6);
}

TEST_F(Lm, ChoosesHeldOutSentencesByTheirWords) {
  const auto tokens = tokenizer({"A B C D"});
  std::string lines;
  const std::vector<std::string> names = {"A", "B", "C", "D"};
  for (int i = 0; i < 256; ++i) {
    std::string line;
    for (int digit = i, k = 0; k < 4; ++k, digit /= 4)
      line += names[static_cast<std::size_t>(digit % 4)] + " ";
    lines += line + "\n" + line + "\n";
  }
  config::SentenceDataConfig config;
  config.text = {file("text.txt", lines)};
  config.valid_share = 0.25;
  const auto text = read_lm_text(config, *tokens);
  const auto held_out = texts(text.held_out, tokens->units());
  EXPECT_NEAR(static_cast<double>(held_out.size()), 128, 40);
  const std::set<std::string> distinct(held_out.begin(), held_out.end());
  EXPECT_EQ(distinct.size() * 2, held_out.size());
  for (const auto& line : texts(text.training, tokens->units())) EXPECT_FALSE(distinct.count(line));
  EXPECT_EQ(texts(read_lm_text(config, *tokens).held_out, tokens->units()), held_out);
}

TEST_F(Lm, CutsLongSentencesBetweenWords) {
  const auto tokens = tokenizer({"A B C D"});
  config::SentenceDataConfig config;
  config.text = {file("text.txt", "A B C D A B C\n")};
  config.valid_share = 0;
  config.longest = 3;
  const auto text = read_lm_text(config, *tokens);
  EXPECT_THAT(texts(text.training, tokens->units()), ElementsAre("A B C", "D A B", "C"));
  EXPECT_EQ(text.cut, 1);
}

TEST_F(Lm, ATextWithoutSentencesIsRefused) {
  const auto tokens = tokenizer({"A"});
  config::SentenceDataConfig config;
  config.text = {file("text.txt", "...\n")};
  EXPECT_THROW(read_lm_text(config, *tokens), ConfigError);
  config.text = {(folder_.path() / "none.txt").string()};
  try {
    read_lm_text(config, *tokens);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("data.text: there is no"));
  }
}

text::Sentences some_sentences() {
  text::Sentences sentences;
  for (std::int64_t i = 0; i < 40; ++i)
    sentences.add(std::vector<std::int64_t>(static_cast<std::size_t>(1 + i % 7), 2 + i % 5));
  return sentences;
}

TEST(SentenceBatches, HoldStartUnitsAndEnd) {
  text::Sentences sentences;
  sentences.add(std::vector<std::int64_t>{2, 3});
  sentences.add(std::vector<std::int64_t>{4});
  const auto batch = make_sentence_batch(sentences, {0, 1}, /*end=*/9);
  EXPECT_TRUE(torch::equal(batch.inputs, torch::tensor({{9, 2, 3}, {9, 4, 0}}, torch::kInt64)));
  EXPECT_TRUE(torch::equal(batch.targets, torch::tensor({{2, 3, 9}, {4, 9, -100}}, torch::kInt64)));
  EXPECT_EQ(batch.num_units, 5);
}

TEST(SentenceBatches, GoOnFromWhereTheyStopped) {
  SentenceSource whole(some_sentences(), 9, 24, /*seed=*/3);
  std::vector<data::LoaderPosition> positions;
  std::vector<torch::Tensor> batches;
  std::int64_t units = 0;
  for (std::int64_t i = 0; i < 2 * whole.batches_per_epoch(); ++i) {
    positions.push_back(whole.position());
    const auto batch = whole.next();
    EXPECT_LE(batch.as<SentenceBatch>().inputs.numel(), 24);
    units += batch.num_frames();
    batches.push_back(batch.as<SentenceBatch>().inputs);
  }
  EXPECT_EQ(units, 2 * (some_sentences().num_units() + 40));
  for (const std::size_t at : {std::size_t{3}, batches.size() - 2}) {
    SentenceSource other(some_sentences(), 9, 24, 3);
    other.seek(positions[at]);
    EXPECT_TRUE(torch::equal(other.next().as<SentenceBatch>().inputs, batches[at]));
  }
  EXPECT_THROW(whole.seek({.epoch = 0, .batch = 1000}), ConfigError);
}

TEST(Perplexity, CountsTheEndOfASentenceAsAWord) {
  SentenceSet set;
  set.sentences.add(std::vector<std::int64_t>{2, 3, 4});  // two words, three units
  set.words = 2;
  EXPECT_NEAR(perplexity(6, set), std::exp(2), 1e-12);
}

/// The word before says nothing of the next one, the word before that all: "B D B D B D B D".
std::string sentences_with_memory(std::int64_t count) {
  std::string text;
  Random random(7, 0, 0, Draw::kOrder);
  for (std::int64_t i = 0; i < count; ++i) {
    std::vector<std::string> words;
    const std::vector<std::string> names = {"A", "B", "C", "D", "E"};
    for (int k = 0; k < 2; ++k) words.push_back(names[random.bits() % 5]);
    for (int k = 2; k < 8; ++k) words.push_back(words[static_cast<std::size_t>(k) - 2]);
    for (const auto& word : words) text += word + " ";
    text += "\n";
  }
  return text;
}

class LmRun : public Lm {
 protected:
  Outcome train(std::vector<std::string> more, const std::stop_token& stop = {}) {
    std::vector<std::string> overrides = {
        "run.dir=" + run().string(),
        "data.text=[" + file("text.txt", sentences_with_memory(400)) + "]",
        "data.valid_text=" +
            file("valid.txt", "A E A E A E A E\nC D C D C D C D\nB B B B B B B B\n"),
        "text.model=" + words_model({"A B C D E"}),
        "device=cpu",
        "threads=1",
        "model.embed_dim=16",
        "model.dim=32",
        "model.heads=2",
        "model.ffn_dim=64",
        "model.blocks=2",
        "data.max_units=256",
        "data.longest=100",
        "optimizer.lr=0.01",
        "optimizer.warmup_steps=5",
        "train.steps=60",
        "log.every=20",
        "checkpoint.every=20",
        "validation.every_epochs=2"};
    overrides.insert(overrides.end(), more.begin(), more.end());
    const auto kind = std::ranges::find(stages(), "lm", [](const auto& one) { return one.name; });
    auto [stage, yaml] = kind->load({}, overrides);
    return run_session(*stage, {.yaml = yaml, .overrides = overrides, .stop = stop});
  }

  /// The last value of each number.
  [[nodiscard]] std::map<std::string, double> numbers() const {
    std::map<std::string, double> last;
    std::ifstream lines(run() / "metrics.jsonl");
    for (std::string line; std::getline(lines, line);) {
      const auto numbers = nlohmann::json::parse(line);
      for (const auto& [name, value] : numbers.items()) {
        if (value.is_number()) last[name] = value;
      }
    }
    return last;
  }
};

TEST_F(LmRun, BeatsTheBigramWhereWordsFurtherBackTellMore) {
  ASSERT_EQ(train({}), Outcome::kDone);
  const auto last = numbers();
  EXPECT_LT(last.at("valid_perplexity"), 0.6 * last.at("valid_perplexity_bigram"));
  EXPECT_GT(last.at("valid_perplexity_bigram"), 3);
  const auto html = report::page({run()});
  EXPECT_THAT(html, HasSubstr("It beats a bigram of the same text"));
  EXPECT_THAT(html, HasSubstr("language model, 2 blocks of width 32"));
}

TEST_F(LmRun, WritesTheNumbersOfTheTable) {
  ASSERT_EQ(
      train({"train.steps=3", "optimizer.warmup_steps=1", "log.every=1", "checkpoint.every=3"}),
      Outcome::kDone);
  const auto written = numbers();
  for (const auto& metric : report::kMetrics) {
    const std::string name(metric.name);
    if (!metric.writers.language_model || name == "device_bytes" || name.find('<') != name.npos ||
        is_of_ranks(name))
      continue;
    EXPECT_TRUE(written.contains(name)) << name;
  }
  for (const auto& [name, value] : written) {
    const auto known = report::find_metric(name);
    if (name != "step") EXPECT_TRUE(known && known->metric->writers.language_model) << name;
  }
}

TEST_F(LmRun, AStoppedOneEndsWithTheSameBytes) {
  ASSERT_EQ(train({"train.steps=40"}), Outcome::kDone);
  const auto whole = read_file(run() / "language_model.safetensors");
  fs::remove_all(run());
  std::stop_source stopped;
  stopped.request_stop();
  ASSERT_EQ(train({"train.steps=40"}, stopped.get_token()), Outcome::kStopped);
  ASSERT_EQ(train({"train.steps=40"}), Outcome::kDone);
  EXPECT_EQ(read_file(run() / "language_model.safetensors"), whole);
}

TEST_F(LmRun, KeepsTheModelOfTheBestEvaluation) {
  const std::vector<std::string> best = {"train.steps=40", "validation.keep_best=loss"};
  ASSERT_EQ(train(best), Outcome::kDone);
  const auto model = weights::read_safetensors(run() / "language_model.safetensors");
  const auto last = artifacts::LastCheckpoint(run()).state();
  ASSERT_TRUE(last && last->best);
  EXPECT_EQ(model.said("step"), std::to_string(last->best->step));
  EXPECT_EQ(model.said("best_by"), "loss");
  const auto kept = artifacts::read_checkpoint(run() / "checkpoints" / "best").model;
  for (const auto& [name, tensor] : kept.tensors)
    EXPECT_TRUE(torch::equal(model.at(name), tensor)) << name;
  // The run's model is taken for it, however early it was the best.
  EXPECT_EQ(artifacts::read_models(run()).front().file.said("best_by"), "loss");
  auto patient = best;
  patient.insert(patient.end(), {"validation.patience=1"});
  EXPECT_EQ(train(patient), Outcome::kDone);
}

TEST_F(LmRun, IsFoundByItsFolderFinishedOrNot) {
  ASSERT_EQ(train({"train.steps=20"}), Outcome::kDone);
  const auto finished = artifacts::read_models(run());
  ASSERT_EQ(finished.size(), 1U);
  EXPECT_EQ(finished[0].name, "language_model");
  fs::remove(run() / "language_model.safetensors");
  const auto checkpoint = artifacts::read_models(run());
  ASSERT_EQ(checkpoint.size(), 1U);
  EXPECT_EQ(checkpoint[0].name, "language_model");
  for (const auto* key : {"units", "vocabulary", "model.dim", "model.blocks"})
    EXPECT_EQ(checkpoint[0].file.said(key), finished[0].file.said(key)) << key;
}

TEST_F(LmRun, AnotherTextIsRefusedWhenItGoesOn) {
  ASSERT_EQ(train({"train.steps=20"}), Outcome::kDone);
  const auto other = file("other.txt", "A B\nC D\n");
  EXPECT_THROW(train({"train.steps=30", "data.text=[" + other + "]"}), ConfigError);
}

TEST_F(Lm, TheBigramsPerplexityIsThatOfItsProbabilities) {
  const auto tokens = tokenizer({"A B"});
  config::SentenceDataConfig config;
  config.text = {file("text.txt", "A B\nA A\n")};
  config.valid_share = 0;
  const auto text = read_lm_text(config, *tokens);
  std::vector<std::string> names;
  for (std::int64_t id = 0; id < tokens->units().size(); ++id)
    names.push_back(tokens->units().piece(id));
  const auto bigram = text::kneser_ney_bigram(text.training.sentences, names);
  // As worked out in tests/text/ngram_test.cpp.
  const double a = 1.8 / 5 + 0.03, b = 0.8 / 5 + 0.03, end = 1.8 / 5 + 0.03;
  const double start_a = (4. / 3) / 2 + a / 3, a_a = 1. / 9 + 2. / 3 * a, a_b = 1. / 9 + 2. / 3 * b;
  const double a_end = 1. / 9 + 2. / 3 * end, b_end = 1. / 3 + 2. / 3 * end;
  const double likelihood = start_a * a_b * b_end * start_a * a_a * a_end;
  EXPECT_NEAR(bigram_perplexity(bigram, tokens->units(), text.training),
              std::pow(likelihood, -1. / 6), 1e-4);
}

}  // namespace
}  // namespace raven::train
