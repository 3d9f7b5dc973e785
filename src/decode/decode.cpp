#include "raven/decode/decode.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "raven/core/error.h"

namespace raven::decode {
namespace {

using config::DecodeConfig;
using config::DecodeKind;

void check_language_model(const DecodeConfig& config, const models::Recognizer& recognizer,
                          const SearchLanguageModel& language_model) {
  if (config.lm_weight == 0) return;
  if (language_model.empty()) {
    throw ConfigError(fmt::format(
        "decode.lm_weight is {}, but there is no language model; give one, or a weight of 0",
        config.lm_weight));
  }
  if (language_model.num_units() != recognizer->options().units) {
    throw ConfigError(fmt::format(
        "the language model knows {} units, the recognizer {}; both must be trained with the same "
        "vocabulary",
        language_model.num_units(), recognizer->options().units));
  }
}

SearchScorers make_scorers(models::Recognizer& recognizer, const torch::Tensor& frames,
                           const torch::Tensor& valid, const DecodeConfig& config,
                           const SearchLanguageModel& language_model) {
  const double ctc_weight = config.kind == DecodeKind::kAttention ? 0 : config.ctc_weight;
  SearchScorers scorers;
  if (uses_decoder(config)) {
    scorers.proposer = 0;
    scorers.full.push_back(
        {.name = "decoder",
         .weight = 1 - ctc_weight,
         .scorer = std::make_shared<AttentionScorer>(recognizer->decoder, frames, valid)});
  }
  if (config.lm_weight != 0) {
    scorers.full.push_back(
        {.name = "lm", .weight = config.lm_weight, .scorer = language_model.scorer()});
  }
  if (config.length_bonus != 0) {
    scorers.full.push_back({.name = "length_bonus",
                            .weight = config.length_bonus,
                            .scorer = std::make_shared<LengthScorer>(recognizer->options().units)});
  }
  if (uses_ctc(config)) {
    scorers.ctc = CtcPrefixScore(recognizer->ctc(frames), valid, recognizer->end_unit());
    scorers.ctc_weight = ctc_weight;
  }
  return scorers;
}

/// Frames of each utterance.
std::vector<std::int64_t> frame_counts(const Encoded& encoded) {
  const auto batch = encoded.frames.size(0);
  if (!encoded.valid.defined()) {
    return std::vector<std::int64_t>(static_cast<std::size_t>(batch), encoded.frames.size(1));
  }
  const auto counts = encoded.valid.sum(1).cpu().contiguous();
  const auto* first = counts.data_ptr<std::int64_t>();
  return {first, first + batch};
}

}  // namespace

bool uses_decoder(const DecodeConfig& config) {
  return config.kind == DecodeKind::kAttention ||
         (config.kind == DecodeKind::kHybrid && config.ctc_weight < 1);
}

bool uses_ctc(const DecodeConfig& config) {
  return config.kind == DecodeKind::kGreedyCtc ||
         (config.kind == DecodeKind::kHybrid && config.ctc_weight > 0);
}

std::vector<double> confidence(const Hypothesis& hypothesis) {
  for (const char* part : {"decoder", "ctc"}) {
    const auto found = hypothesis.unit_parts.find(part);
    if (found == hypothesis.unit_parts.end()) continue;
    auto values = found->second;
    for (auto& value : values) value = std::exp(std::min(value, 0.0));
    return values;
  }
  return std::vector<double>(hypothesis.units.size(), std::numeric_limits<double>::quiet_NaN());
}

std::vector<Hypothesis> greedy_ctc(const torch::Tensor& log_probs, const torch::Tensor& valid,
                                   const std::vector<std::string>& ids) {
  const auto counts = frame_counts({.frames = log_probs, .valid = valid, .ids = ids});
  const auto [best_tensor, units_tensor] = log_probs.max(-1);  // (B, T)
  const auto best = best_tensor.to(torch::kFloat64).cpu(), units = units_tensor.cpu();
  const auto score = best.accessor<double, 2>();
  const auto unit = units.accessor<std::int64_t, 2>();
  std::vector<Hypothesis> hypotheses(ids.size());
  for (std::size_t b = 0; b < ids.size(); ++b) {
    auto& hypothesis = hypotheses[b];
    const auto row = static_cast<std::int64_t>(b);
    auto& best_of = hypothesis.unit_parts["ctc"];  // of each unit's frames
    std::int64_t last = models::kBlank;
    for (std::int64_t t = 0; t < counts[b]; ++t) {
      hypothesis.score += score[row][t];
      const auto current = unit[row][t];
      if (current != models::kBlank && current != last) {
        hypothesis.units.push_back(current);
        best_of.push_back(score[row][t]);
      } else if (current != models::kBlank) {
        best_of.back() = std::max(best_of.back(), score[row][t]);
      }
      last = current;
    }
    if (std::isnan(hypothesis.score)) throw_not_numbers(ids[b]);
    hypothesis.parts["ctc"] = hypothesis.score;
  }
  return hypotheses;
}

std::vector<std::vector<Hypothesis>> decode(models::Recognizer recognizer, const Encoded& encoded,
                                            const DecodeConfig& config,
                                            const SearchLanguageModel& language_model) {
  config.check();
  check_language_model(config, recognizer, language_model);
  RAVEN_CHECK(!recognizer->is_training(), "decoding in train mode");
  const torch::NoGradGuard no_grad;
  std::vector<std::vector<Hypothesis>> results(encoded.ids.size());
  if (encoded.frames.size(1) == 0) return results;
  const auto frames = encoded.frames.to(torch::kFloat32);
  const auto counts = frame_counts(encoded);
  if (config.kind == DecodeKind::kGreedyCtc) {
    auto best = greedy_ctc(recognizer->ctc(frames), encoded.valid, encoded.ids);
    for (std::size_t b = 0; b < results.size(); ++b) {
      if (counts[b] > 0) results[b].push_back(std::move(best[b]));
    }
    return results;
  }
  auto scorers = make_scorers(recognizer, frames, encoded.valid, config, language_model);
  auto searched = beam_search(scorers,
                              {.beam_size = config.beam_size,
                               .max_length_ratio = config.max_length_ratio,
                               .end_unit = recognizer->end_unit(),
                               .device = frames.device(),
                               .detailed = config.nbest},
                              counts, encoded.ids);
  for (std::size_t b = 0; b < results.size(); ++b) results[b] = std::move(searched[b].hypotheses);
  return results;
}

}  // namespace raven::decode
