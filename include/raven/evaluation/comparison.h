// Two systems on the same utterances: is the difference more than chance?
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "raven/text/confidence.h"
#include "raven/text/error_rate.h"

namespace raven::evaluation {

struct Comparison {
  text::EditCounts words_a, words_b;  // over the utterances that both have
  text::PairedComparison paired;
  std::int64_t only_a = 0, only_b = 0;  // utterances that one of them lacks: not compared
};

/// Compares two folders written by write_scores(). Throws ConfigError when a folder has no
/// utterances.jsonl, DataError with file:line when it is damaged, and DataError ("reference")
/// naming an utterance whose references differ, or when they have no utterance in common.
Comparison compare_folders(const std::filesystem::path& a, const std::filesystem::path& b,
                           const text::BootstrapOptions& options = {});

/// A few lines that say which is better and how sure that is.
std::string to_text(const Comparison& comparison, const std::string& name_a,
                    const std::string& name_b);

/// One JSON object: wer_a, wer_b, difference, confidence, p_bootstrap, p_matched_pairs, p_sign,
/// utterances, better, worse, only_a, only_b.
std::string to_json(const Comparison& comparison);

/// Several results against the first, a line each. `comparisons` are compare_folders() of the first
/// and each other, in the order of `names` from the second on.
std::string to_text(const std::vector<Comparison>& comparisons,
                    const std::vector<std::string>& names);

}  // namespace raven::evaluation
