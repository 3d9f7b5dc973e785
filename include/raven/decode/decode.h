// From a recognizer's encoder outputs to units, as a DecodeConfig says.
// Shapes: B utterances, T frames, D encoder width, V units of the vocabulary.
#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "raven/config/decode_config.h"
#include "raven/decode/beam_search.h"
#include "raven/decode/search_language_model.h"
#include "raven/models/recognizer.h"

namespace raven::decode {

/// Encoder outputs of a batch.
struct Encoded {
  torch::Tensor frames;          // (B, T, D)
  torch::Tensor valid;           // (B, T) bool, or undefined: all frames are real
  std::vector<std::string> ids;  // B names, for errors
};

/// What is run for hypotheses of this kind.
bool uses_decoder(const config::DecodeConfig& config);
bool uses_ctc(const config::DecodeConfig& config);

/// Hypotheses of each utterance, best first; greedy CTC gives one. An utterance without frames has
/// none. `language_model` is empty, or has the recognizer's vocabulary; it is used when
/// config.lm_weight is not 0. Both are in eval mode and on the device of the frames.
/// Throws ConfigError for a configuration that cannot be carried out, DataError naming the
/// utterance whose posteriors are not numbers.
std::vector<std::vector<Hypothesis>> decode(models::Recognizer recognizer, const Encoded& encoded,
                                            const config::DecodeConfig& config,
                                            const SearchLanguageModel& language_model = {});

/// How sure a hypothesis is of each of its units, from 0 to 1: the decoder's probability of the
/// unit given those before it; without a decoder the share of CTC's probability of the units before
/// it that goes on with it (greedy CTC: its best frame's). NaN where the search did not score the
/// unit, or used neither.
std::vector<double> confidence(const Hypothesis& hypothesis);

/// The best unit of every frame, repetitions and blanks left out, for log-probabilities (B, T, V).
/// The score is the log-probability of that path.
std::vector<Hypothesis> greedy_ctc(const torch::Tensor& log_probs, const torch::Tensor& valid,
                                   const std::vector<std::string>& ids);

}  // namespace raven::decode
