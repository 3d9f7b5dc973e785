// Configuration of `raven selftrain`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "raven/config/decode_config.h"
#include "raven/config/evaluate_config.h"
#include "raven/config/fields.h"
#include "raven/config/run_config.h"

namespace raven::config {

enum class ConfidenceRule { kNone, kLowest, kMean };
template <>
struct EnumNames<ConfidenceRule> {
  static constexpr std::pair<ConfidenceRule, std::string_view> kNames[] = {
      {ConfidenceRule::kNone, "none"},
      {ConfidenceRule::kLowest, "lowest"},
      {ConfidenceRule::kMean, "mean"}};
};

/// Which labels are trusted; everything is off at first, as published.
struct LabelFilterConfig {
  ConfidenceRule confidence = ConfidenceRule::kNone;
  double min_confidence = 0.8;
  double min_agreement = 0;
  std::string other;
  double min_other_agreement = 0.8;
  std::optional<double> min_units_per_s, max_units_per_s;
  double share_kept = 1;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("confidence", &LabelFilterConfig::confidence,
            "the decoder's probability of each unit given those before it: lowest rejects an "
            "utterance by its least sure unit, mean by the mean of all; none (published): no such "
            "filter");
    v.field("min_confidence", &LabelFilterConfig::min_confidence, between(0, 1),
            "labels below it are rejected, unless confidence is none");
    v.field("min_agreement", &LabelFilterConfig::min_agreement, between(0, 1),
            "least agreement of the CTC head's best path with the label, 1 - unit edits by units "
            "of the label; 0: no such filter");
    v.field("other", &LabelFilterConfig::other,
            "a second recognizer, of the same or the other modality, that labels too; empty: none");
    v.field("min_other_agreement", &LabelFilterConfig::min_other_agreement, between(0, 1),
            "least agreement of its text with the label, 1 - character edits by characters of the "
            "label");
    v.field("min_units_per_s", &LabelFilterConfig::min_units_per_s, at_least(0),
            "fewer units a second than this are too few for what was said; null: any");
    v.field("max_units_per_s", &LabelFilterConfig::max_units_per_s, above(0),
            "more are too many; null: any");
    v.field("share_kept", &LabelFilterConfig::share_kept, above_up_to(0, 1),
            "of the labels that pass, the best so many are kept, by the search's score by unit");
  }
};

struct StudentConfig {
  std::string config = kRequired;
  std::vector<std::string> set;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("config", &StudentConfig::config,
            "configuration of `raven finetune` for the student; its data.manifest has the labelled "
            "lists, its model.init the pre-trained encoder (not a fine-tuned one)");
    v.field("set", &StudentConfig::set,
            "overrides of it, as on the command line: [train.epochs=30]");
  }
};

struct SelftrainConfig {
  static constexpr const char* kStage = "selftrain";  // of the command

  RunConfig run;
  Device device = Device::kAuto;
  std::int64_t threads = 0;
  std::int64_t ranks = 0;
  MeetingConfig distributed;
  std::string labeller = kRequired;
  std::int64_t rounds = 1;
  UnlabelledDataConfig unlabelled;
  DecodeConfig decode;
  LabelFilterConfig filter;
  StudentConfig student;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.group("run", &SelftrainConfig::run,
            "the folder of all rounds; the seed is that of every student");
    v.field("device", &SelftrainConfig::device, "auto: a GPU when there is one");
    v.field("threads", &SelftrainConfig::threads, between(0, 4096),
            "CPU threads of the networks; 0: one per core, shared by the ranks of a host");
    v.field("ranks", &SelftrainConfig::ranks, between(0, 4096), kRanksMeaning);
    v.group("distributed", &SelftrainConfig::distributed,
            "ranks: how they meet, when one is given up");
    v.field("labeller", &SelftrainConfig::labeller,
            "the recognizer that labels in the first round: a .safetensors or .pth file, or a run "
            "of `raven finetune`; one of sound labels for a student of lips (published)");
    v.field("rounds", &SelftrainConfig::rounds, between(1, 100),
            "each round after the first is labelled by the student before it");
    v.group(
        "unlabelled", &SelftrainConfig::unlabelled,
        "what is labelled; clips of the labelled lists in it are passed over, transcripts in it "
        "only serve to tell the labels' errors");
    v.group("decode", &SelftrainConfig::decode,
            "how labels are found; what is not given is what the labeller's file says");
    v.group("filter", &SelftrainConfig::filter, "which labels are trusted");
    v.group("student", &SelftrainConfig::student, "what learns from them");
  }

  /// Rules across fields. Throws ConfigError naming the fields, what is wrong and what would do.
  void check() const;
};

}  // namespace raven::config
