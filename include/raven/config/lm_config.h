// Configuration of `raven lm`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "raven/config/fields.h"
#include "raven/config/model_config.h"
#include "raven/config/run_config.h"
#include "raven/config/text_config.h"

namespace raven::config {

struct SentenceDataConfig {
  std::vector<std::string> text = {kRequired};
  std::string valid_text;
  double valid_share = 0.02;
  std::vector<std::string> exclude;
  std::int64_t max_units = 4096;
  std::int64_t longest = 256;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("text", &SentenceDataConfig::text,
            "what is learnt: text files with a sentence a line, and lists (.tsv of `raven "
            "prepare`, published .csv), whose transcripts are taken");
    v.field("valid_text", &SentenceDataConfig::valid_text,
            "held-out sentences, a file of either kind; empty: valid_share of the text");
    v.field("valid_share", &SentenceDataConfig::valid_share, between(0, 0.5),
            "share of the sentences that is held out where there is no valid_text, chosen by their "
            "words, so that a sentence that comes twice is on one side; 0: nothing is held out");
    v.field("exclude", &SentenceDataConfig::exclude,
            "text files or lists (of validation, of tests): sentences of data.text that they have, "
            "word for word, are left out");
    v.field("max_units", &SentenceDataConfig::max_units, between(1, 10'000'000),
            "budget of a batch in padded units");
    v.field("longest", &SentenceDataConfig::longest, between(2, 4096),
            "longer sentences are cut between words into parts of at most so many units");
  }
};

struct LmOptimizerConfig : OptimizerConfig {
  LmOptimizerConfig() {
    lr = 1e-3;
    beta2 = 0.98;
    weight_decay = 0.01;
    max_grad_norm = 1;
    warmup_epochs = 1;
  }

  template <class Visitor>
  static void fields(Visitor& v) {
    OptimizerConfig::fields(v);
  }
};

struct LmTrainConfig : TrainConfig {
  LmTrainConfig() { epochs = 20; }

  template <class Visitor>
  static void fields(Visitor& v) {
    TrainConfig::fields(v);
  }
};

struct LmValidationConfig {
  double every_epochs = 1;
  KeptBest keep_best = KeptBest::kNone;
  std::optional<std::int64_t> patience;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("every_epochs", &LmValidationConfig::every_epochs, between(0, kMostEpochs),
            "passes over the text between evaluations on held-out sentences: loss and perplexity; "
            "0: never");
    v.field("keep_best", &LmValidationConfig::keep_best,
            "none: the model is that of the last step; loss: that of the evaluation with the "
            "lowest valid_loss, which is kept as checkpoints/best");
    v.field("patience", &LmValidationConfig::patience, at_least(1), kPatienceMeaning);
  }
};

struct LmConfig {
  static constexpr const char* kStage = "lm";  // of the stage and of its command

  RunConfig run;
  Device device = Device::kAuto;
  std::int64_t threads = 0;
  std::int64_t ranks = 0;
  DistributedConfig distributed;
  SentenceDataConfig data;
  TextConfig text;
  LanguageModelConfig model;
  LmOptimizerConfig optimizer;
  LmTrainConfig train;
  CheckpointConfig checkpoint;
  LogConfig log;
  LmValidationConfig validation;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.group("run", &LmConfig::run, "the run's folder and seed");
    v.field("device", &LmConfig::device, "auto: a GPU when there is one");
    v.field("threads", &LmConfig::threads, between(0, 4096),
            "CPU threads of the network; 0: one per core, shared by the ranks of a host");
    v.field("ranks", &LmConfig::ranks, between(0, 4096), kRanksMeaning);
    v.group("distributed", &LmConfig::distributed, "ranks: how they meet, when one is given up");
    v.group("data", &LmConfig::data, "what is read, and how");
    v.group("text", &LmConfig::text, "the vocabulary: that of the recognizer");
    v.group("model", &LmConfig::model, "the network");
    v.group("optimizer", &LmConfig::optimizer, "AdamW");
    v.group("train", &LmConfig::train, "length and arithmetic");
    v.group("checkpoint", &LmConfig::checkpoint, "what is kept to go on from");
    v.group("log", &LmConfig::log, "reports");
    v.group("validation", &LmConfig::validation, "evaluation on held-out sentences");
  }

  /// Rules across fields. Throws ConfigError naming the fields, what is wrong and what would do.
  void check() const;
};

}  // namespace raven::config
