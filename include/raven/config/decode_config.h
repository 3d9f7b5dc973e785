// How a recognizer's outputs become units; part of every configuration that decodes, as `decode`.
#pragma once

#include <cstdint>
#include <string>

#include "raven/config/fields.h"

namespace raven::config {

enum class DecodeKind { kHybrid, kAttention, kGreedyCtc };
template <>
struct EnumNames<DecodeKind> {
  static constexpr std::pair<DecodeKind, std::string_view> kNames[] = {
      {DecodeKind::kHybrid, "hybrid"},
      {DecodeKind::kAttention, "attention"},
      {DecodeKind::kGreedyCtc, "greedy_ctc"}};
};

/// Defaults are those of all published numbers.
struct DecodeConfig {
  DecodeKind kind = DecodeKind::kHybrid;
  std::int64_t beam_size = 40;
  double ctc_weight = 0.1;
  double length_bonus = 0.0;
  double max_length_ratio = 0.0;
  double min_length_ratio = 0.0;
  double lm_weight = 0.0;
  std::string lm;
  std::int64_t nbest = 0;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.field("kind", &DecodeConfig::kind,
            "hybrid: beam search with CTC prefix scores and attention decoder; attention: beam "
            "search without CTC; greedy_ctc: the best unit of every frame, decoder not run");
    v.field("beam_size", &DecodeConfig::beam_size, between(1, 10000),
            "hypotheses kept at each step");
    v.field("ctc_weight", &DecodeConfig::ctc_weight, between(0, 1),
            "weight of the CTC prefix score in hybrid; the decoder has the rest, 1: not run");
    v.field("length_bonus", &DecodeConfig::length_bonus, any_number(),
            "added to a hypothesis' score for every unit");
    v.field("max_length_ratio", &DecodeConfig::max_length_ratio, between(-1e6, 1e6),
            "most units of a hypothesis: 0: as many as frames, and the search ends early when "
            "longer hypotheses get no better; above 0: this share of the frames; -n: n units");
    v.field("min_length_ratio", &DecodeConfig::min_length_ratio, between(0, 1e6),
            "of published recipes; forbids no unit: it only had an empty search repeated");
    v.field("lm_weight", &DecodeConfig::lm_weight, at_least(0),
            "weight of the language model's log-probabilities; 0: none is used");
    v.field(
        "lm", &DecodeConfig::lm,
        "language model over the recognizer's units: a run of `raven lm`, its .safetensors, or a "
        ".pth that `raven import` would take; or an n-gram model of units or words (.arpa); "
        "empty: none");
    v.field("nbest", &DecodeConfig::nbest, between(0, 10000),
            "hypotheses of each utterance that nbest.jsonl lists, with scores and confidences; 0: "
            "no list");
  }

  /// Rules across fields. `key` is where this configuration sits in the whole one. Throws
  /// ConfigError naming the fields, what is wrong and what would do.
  void check(const std::string& key = "decode") const;
};

}  // namespace raven::config
