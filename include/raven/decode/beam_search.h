// Joint CTC and attention beam search, over a batch of utterances at once.
// Shapes: B utterances.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "raven/decode/ctc_prefix_score.h"
#include "raven/decode/scorer.h"

namespace raven::decode {

/// One transcript of an utterance.
struct Hypothesis {
  /// As the search produced them: a final end-of-sentence unit included, and two of them where the
  /// last step allowed by the limits had produced one itself.
  std::vector<std::int64_t> units;
  double score = 0;                     // weighted sum of the parts
  std::map<std::string, double> parts;  // unweighted sums: "decoder", "ctc", "lm", "length_bonus"
  /// What each unit added to each part; an end that was appended without being scored added nothing
  /// (NaN). Of greedy CTC: the log-posterior of each unit's best frame. Only where it was asked for
  /// (SearchOptions::detailed).
  std::map<std::string, std::vector<double>> unit_parts;
};

struct SearchOptions {
  std::int64_t beam_size = 40;
  double max_length_ratio = 0;  // as DecodeConfig::max_length_ratio
  std::int64_t end_unit = 1048;
  torch::Device device = torch::kCPU;  // where the scorers are
  std::int64_t detailed = 0;           // how many of the best hypotheses get unit_parts
};

/// What ranks the hypotheses. The order of `full` is the order of their summation.
struct SearchScorers {
  std::vector<WeightedScorer> full;
  /// Index in `full` of the scorer that proposes candidates to CTC; none: all units are candidates.
  std::optional<std::size_t> proposer;
  std::optional<CtcPrefixScore> ctc;
  double ctc_weight = 0;
};

/// Finished hypotheses of one utterance, best first, and how the search went.
struct SearchResult {
  std::vector<Hypothesis> hypotheses;
  std::int64_t steps = 0;
};

/// num_frames: of each utterance; ids name them in errors. One without frames, or whose limits
/// allow no unit, has no hypotheses.
/// Throws ConfigError without scorers or with a beam below 1, DataError naming the utterance whose
/// scores are not numbers.
std::vector<SearchResult> beam_search(SearchScorers& scorers, const SearchOptions& options,
                                      const std::vector<std::int64_t>& num_frames,
                                      const std::vector<std::string>& ids);

/// Throws DataError: the posteriors of utterance `id` are NaN.
[[noreturn]] void throw_not_numbers(const std::string& id);

}  // namespace raven::decode
