// The best hypotheses of an utterance, as nbest.jsonl lists them (docs/scoring.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "raven/decode/beam_search.h"
#include "raven/text/units.h"

namespace raven::evaluation {

struct Alternative {
  std::string text;
  double score = 0;
  std::map<std::string, double> parts;  // as Hypothesis::parts
  std::vector<std::int64_t> units;      // as Hypothesis::units
  std::vector<double> confidence;       // of each unit (decode::confidence); NaN: none
};

Alternative alternative(const decode::Hypothesis& hypothesis, const text::Units& units);

/// Best first.
struct NbestList {
  std::string id;
  std::vector<Alternative> alternatives;
  /// The CTC head's best path, beside a search that asks the decoder as well.
  std::optional<std::vector<std::int64_t>> ctc = {};
};

/// One utterance a line, {"id": ..., "nbest": [...]}, in one step.
void write_nbest(const std::filesystem::path& file, const std::vector<NbestList>& lists);

/// Throws ConfigError when the file is missing, DataError ("nbest") with file:line for a line that
/// is none of these and for an id that comes twice.
std::vector<NbestList> read_nbest(const std::filesystem::path& file);

}  // namespace raven::evaluation
