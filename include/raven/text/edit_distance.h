// Levenshtein distance, and the alignment that sclite makes. All counts are integers.
//
// Two costs are in use. The published metric counts the least number of edits, each costing 1.
// sclite aligns with 4 for a substitution and 3 for a deletion or an insertion, and counts the
// edits of that alignment: it takes one more correct word for two substitutions less (as many
// edits), and now and then one for three, or two for five, which is one edit more than the least.
// On real results both agree but for a few utterances in ten thousand; docs/scoring.md says which
// number is which.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace raven::text {

enum class Edit : char { kMatch = '=', kSubstitution = 'S', kDeletion = 'D', kInsertion = 'I' };

/// One step through both sequences; the index is -1 where a side has no token.
struct EditStep {
  Edit edit = Edit::kMatch;
  std::int64_t reference = -1, hypothesis = -1;

  friend bool operator==(const EditStep&, const EditStep&) = default;
};

struct EditCounts {
  std::int64_t matches = 0, substitutions = 0, deletions = 0, insertions = 0;

  [[nodiscard]] std::int64_t errors() const { return substitutions + deletions + insertions; }
  [[nodiscard]] std::int64_t reference_tokens() const {
    return matches + substitutions + deletions;
  }
  EditCounts& operator+=(const EditCounts& other);
  friend bool operator==(const EditCounts&, const EditCounts&) = default;
};

/// Products of lengths beyond this are refused: 16,384 tokens on each side.
inline constexpr std::int64_t kMaxAlignedCells = std::int64_t{1} << 28;

/// The least number of substitutions, deletions and insertions. Tokens are compared by value.
/// Throws DataError ("too-long") beyond kMaxAlignedCells.
std::int64_t edit_distance(std::span<const std::int32_t> reference,
                           std::span<const std::int32_t> hypothesis);

/// sclite's alignment: least cost with 4, 3, 3; among equals a substitution or match before a
/// deletion or insertion and an insertion before a deletion, decided from the end. Throws DataError
/// ("too-long") beyond kMaxAlignedCells.
std::vector<EditStep> align(std::span<const std::int32_t> reference,
                            std::span<const std::int32_t> hypothesis);

EditCounts count_edits(std::span<const EditStep> steps);

}  // namespace raven::text
