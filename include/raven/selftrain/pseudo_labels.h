// What a recognizer says of clips without transcripts, and which of it is trusted.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "raven/config/selftrain_config.h"
#include "raven/data/manifest.h"
#include "raven/evaluation/nbest_list.h"
#include "raven/text/units.h"

namespace raven::selftrain {

struct PseudoLabel {
  std::string id, text;
  std::int64_t frames = 0, num_units = 0;  // units without the end
  double score_per_unit = 0;               // of the search, the end counted as a unit
  std::vector<double> confidence = {};     // of each unit and the end (docs/scoring.md); NaN: none
  std::optional<double> agreement = {};    // with the CTC head's best path, 0 to 1
  std::optional<double> other_agreement = {};  // with a second recognizer
  std::string rejected = {};                   // why; empty: it is kept

  /// Of those that are known; none where none is.
  [[nodiscard]] std::optional<double> lowest_confidence() const;
  [[nodiscard]] std::optional<double> mean_confidence() const;
};

/// 1 - edits / length of the label, 0 at least; of two empty ones 1.
double agreement(std::span<const std::int32_t> label, std::span<const std::int32_t> other);
/// The same over the characters of texts, white space left out.
double agreement_of_texts(std::string_view label, std::string_view other);

/// Labels of utterances in the order of the list; those that were not decoded have none. `others`:
/// what a second recognizer says, by id; empty: there is none.
std::vector<PseudoLabel> labels_of(const data::Manifest& manifest,
                                   const std::vector<evaluation::NbestList>& decoded,
                                   const text::Units& units,
                                   const std::map<std::string, std::string>& others);

/// Fills PseudoLabel::rejected with the first of these that holds: "empty" (no text), "unknown" (it
/// holds <unk>), "length" (units a second), "confidence", "agreement", "other", and of the labels
/// that pass "rank" for those behind the best share.
void judge(std::vector<PseudoLabel>& labels, const config::LabelFilterConfig& filter);

/// How many labels there are by reason; "kept" among them.
std::map<std::string, std::int64_t> count_by_reason(const std::vector<PseudoLabel>& labels);

/// Word errors of the labels that a criterion ranks first.
struct ErrorAtShare {
  std::string criterion;  // "score", "lowest_confidence", "mean_confidence", "agreement", "other"
  double share = 1;
  std::int64_t labels = 0, words = 0, errors = 0;

  [[nodiscard]] double rate() const;
};

/// At shares of a tenth to all, for each criterion that every label has; for labels with words and
/// without <unk> whose transcript `truth` has, by id. Then, as criterion "kept", the labels that
/// judge() has kept.
std::vector<ErrorAtShare> errors_by_share(const std::vector<PseudoLabel>& labels,
                                          const std::map<std::string, std::string>& truth);

/// labels.tsv: a line for each label with all that is known of it.
void write_labels(const std::filesystem::path& file, const std::vector<PseudoLabel>& labels);
void write_errors(const std::filesystem::path& file, const std::vector<ErrorAtShare>& errors);

/// The utterances whose label is kept, with it as their text.
data::Manifest kept_utterances(const data::Manifest& manifest,
                               const std::vector<PseudoLabel>& labels);

}  // namespace raven::selftrain
