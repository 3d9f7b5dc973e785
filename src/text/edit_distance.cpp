#include "raven/text/edit_distance.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <numeric>

#include "raven/core/error.h"

namespace raven::text {
namespace {

constexpr std::int32_t kSubstitutionCost = 4, kGapCost = 3;  // sclite's

using Tokens = std::span<const std::int32_t>;

void check_size(Tokens reference, Tokens hypothesis) {
  const auto rows = std::ssize(reference) + 1, columns = std::ssize(hypothesis) + 1;
  if (rows > kMaxAlignedCells / columns) {
    throw DataError(
        fmt::format("{} against {} tokens are too many to align, expected at most {} on "
                    "each side",
                    reference.size(), hypothesis.size(), 1 << 14),
        "too-long");
  }
}

}  // namespace

EditCounts& EditCounts::operator+=(const EditCounts& other) {
  matches += other.matches;
  substitutions += other.substitutions;
  deletions += other.deletions;
  insertions += other.insertions;
  return *this;
}

std::int64_t edit_distance(Tokens reference, Tokens hypothesis) {
  check_size(reference, hypothesis);
  std::vector<std::int32_t> row(hypothesis.size() + 1);  // distance of each hypothesis prefix
  std::iota(row.begin(), row.end(), 0);
  for (const auto token : reference) {
    auto diagonal = row[0]++;
    for (std::size_t j = 1; j < row.size(); ++j) {
      const auto substituted = diagonal + (token == hypothesis[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({substituted, diagonal + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

std::vector<EditStep> align(Tokens reference, Tokens hypothesis) {
  check_size(reference, hypothesis);
  const auto columns = hypothesis.size() + 1;
  std::vector<Edit> edits((reference.size() + 1) * columns,
                          Edit::kInsertion);  // the last one there
  std::vector<std::int32_t> row(columns);
  for (std::size_t j = 1; j < columns; ++j) row[j] = row[j - 1] + kGapCost;
  for (std::size_t i = 1; i <= reference.size(); ++i) {
    auto diagonal = row[0];
    row[0] += kGapCost;
    auto* const edit = edits.data() + i * columns;
    edit[0] = Edit::kDeletion;
    for (std::size_t j = 1; j < columns; ++j) {
      const bool equal = reference[i - 1] == hypothesis[j - 1];
      const auto substituted = diagonal + (equal ? 0 : kSubstitutionCost);
      const auto deleted = row[j] + kGapCost, inserted = row[j - 1] + kGapCost;
      diagonal = row[j];
      if (substituted <= deleted && substituted <= inserted) {
        row[j] = substituted;
        edit[j] = equal ? Edit::kMatch : Edit::kSubstitution;
      } else if (deleted < inserted) {
        row[j] = deleted;
        edit[j] = Edit::kDeletion;
      } else {
        row[j] = inserted;
        edit[j] = Edit::kInsertion;
      }
    }
  }
  std::vector<EditStep> steps;
  auto i = std::ssize(reference), j = std::ssize(hypothesis);
  while (i > 0 || j > 0) {
    const auto edit = edits[static_cast<std::size_t>(i) * columns + static_cast<std::size_t>(j)];
    const bool takes_reference = edit != Edit::kInsertion,
               takes_hypothesis = edit != Edit::kDeletion;
    i -= takes_reference ? 1 : 0;
    j -= takes_hypothesis ? 1 : 0;
    steps.push_back({.edit = edit,
                     .reference = takes_reference ? i : -1,
                     .hypothesis = takes_hypothesis ? j : -1});
  }
  std::ranges::reverse(steps);
  return steps;
}

EditCounts count_edits(std::span<const EditStep> steps) {
  EditCounts counts;
  for (const auto& step : steps) {
    switch (step.edit) {
      case Edit::kMatch:
        ++counts.matches;
        break;
      case Edit::kSubstitution:
        ++counts.substitutions;
        break;
      case Edit::kDeletion:
        ++counts.deletions;
        break;
      case Edit::kInsertion:
        ++counts.insertions;
        break;
    }
  }
  return counts;
}

}  // namespace raven::text
