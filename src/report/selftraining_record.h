// What `raven selftrain` left in its folder, as a report needs it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "report/track.h"

namespace raven::report {

/// One round; the student is a run of its own.
struct RoundRecord {
  std::int64_t number = 1, labels = 0, kept = 0;
  std::map<std::string, std::int64_t> rejected;  // by reason
  /// Word error of the best-ranked labels over their share in percent, by criterion; where the
  /// truth is known.
  std::map<std::string, Track> error_by_share;
  std::optional<double> error_of_all, error_of_kept;
  std::filesystem::path student;  // folder; empty: not begun
};

struct SelftrainingRecord {
  std::filesystem::path folder;
  std::string labeller;  // of the first round
  std::vector<RoundRecord> rounds;
  std::vector<std::string> problems;  // of files, for the reader
};

/// The folder holds rounds of self-training.
bool is_selftraining(const std::filesystem::path& folder);

SelftrainingRecord read_selftraining(const std::filesystem::path& folder);

}  // namespace raven::report
