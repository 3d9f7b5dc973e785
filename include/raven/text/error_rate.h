// Word and character errors of transcripts. Words are split at white space (words.h) and compared
// by code point: case counts, nothing is normalised here (normalise.h comes before).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "raven/text/edit_distance.h"

namespace raven::text {

/// A step of an alignment with its words, empty where a side has none; views into the texts
/// compared.
struct AlignedWord {
  Edit edit = Edit::kMatch;
  std::string_view reference, hypothesis;
};

/// What one hypothesis got wrong.
struct UtteranceErrors {
  EditCounts words;                    // of sclite's alignment
  EditCounts characters;               // the same over characters without white space, as sclite -c
  std::int64_t least_word_errors = 0;  // the published metric: least number of edits
  std::vector<AlignedWord> alignment;  // of the words
};

/// Throws DataError ("too-long") for texts beyond kMaxAlignedCells.
UtteranceErrors compare(std::string_view reference, std::string_view hypothesis);

/// The least number of word edits alone.
std::int64_t word_distance(std::string_view reference, std::string_view hypothesis);

/// Errors over many utterances.
struct ErrorTotals {
  std::int64_t utterances = 0, sentence_errors = 0;
  EditCounts words, characters;
  std::int64_t least_word_errors = 0;

  void add(const UtteranceErrors& errors);
  /// Errors by reference words or characters, e.g. 0.42; nan without any.
  [[nodiscard]] double wer() const;
  [[nodiscard]] double cer() const;
};

/// Three lines in columns:
///   REF:  IT IS **** RED
///   HYP:  IT ** BLUE RED
///   EVAL:    D  I
std::string alignment_text(std::span<const AlignedWord> alignment);

}  // namespace raven::text
