// When the units of a transcript are heard or seen: their best path through the posteriors of CTC.
// Shapes: T frames, V units.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "raven/text/units.h"

namespace raven::decode {

/// The frames [begin, end) on which the path is at a unit.
struct UnitSpan {
  std::int64_t begin = 0, end = 0;
  double confidence = 0;  // largest posterior of the unit among them, as greedy CTC has it
};

/// The most probable path of CTC that spells `units` (without blanks and ends), for
/// log-probabilities (T, V) of one utterance; among equals the one whose units come first. Empty
/// where the frames are too few for the units: a frame for each, and one between two that are
/// equal. Throws DataError naming `id` where the posteriors are not numbers.
std::optional<std::vector<UnitSpan>> align(const torch::Tensor& log_probs,
                                           const std::vector<std::int64_t>& units,
                                           const std::string& id);

/// A word and the frames [begin, end) of it.
struct WordSpan {
  std::string word;
  double begin = 0, end = 0;
  double confidence = 0;  // the smallest of its units
};

/// The words that `units` spell, with their frames. A unit is long before and after CTC marks it,
/// mostly by a single frame, so a word goes on to both sides of its units: half of the way to the
/// next unit, kMostAround frames at most. Units without an alignment (see align()) are laid out
/// evenly, with a confidence of 0. Ends of sentences are left out.
/// `silent`: whether nothing is heard in each of the first frames; may be empty. Recognizers mark
/// first words early and last ones late, in the silence around; here a unit is put there only where
/// it has no room elsewhere.
inline constexpr double kMostAround = 4;
std::vector<WordSpan> word_spans(const torch::Tensor& log_probs,
                                 const std::vector<std::int64_t>& units, const text::Units& names,
                                 const std::string& id, const std::vector<bool>& silent = {});

}  // namespace raven::decode
