// What a folder of prepared data says of itself: finished shards, verdicts, options.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "raven/data/manifest.h"
#include "raven/data/preparation.h"

namespace raven::data {

inline constexpr const char* kOptionsFile = "prepare.json";

/// A line of a verdict file.
struct ClipVerdict {
  std::string id, verdict, message, file;
};

std::vector<ClipVerdict> read_verdicts(const std::filesystem::path& file);
void write_verdicts(const std::filesystem::path& file, const std::vector<ClipVerdict>& verdicts);

/// One shard as it lies on disk. A shard without usable clips has verdicts only.
struct ShardFiles {
  std::filesystem::path tar, manifest, verdicts;
};

/// `shards`/<subset>-<number>.tar and what belongs to it; "clips" stands for no subset.
ShardFiles shard_files(const std::filesystem::path& shards, const std::string& subset,
                       std::int64_t number);

/// The finished shards of a folder.
class PreparationRecord {
 public:
  /// Reads the verdicts and manifests of finished shards and removes what unfinished ones left.
  explicit PreparationRecord(const std::filesystem::path& shards);

  /// Null when no finished shard speaks of the clip; a later shard's verdict counts.
  [[nodiscard]] const ClipVerdict* find(const std::string& id) const;
  [[nodiscard]] std::int64_t next_number(const std::string& subset) const;
  [[nodiscard]] const std::vector<Utterance>& utterances() const { return utterances_; }
  [[nodiscard]] std::vector<ClipVerdict> verdicts() const;  // by id

  /// A shard that was finished just now; takes the number.
  void add(const std::string& subset, const std::vector<ClipVerdict>& verdicts,
           std::vector<Utterance> utterances);

 private:
  std::map<std::string, ClipVerdict> verdicts_;
  std::map<std::string, std::int64_t> next_number_;  // by subset
  std::vector<Utterance> utterances_;                // in the order of the shards
};

/// Writes `output`/prepare.json, or compares with the one that is there: throws ConfigError naming
/// the option that differs, or the file when it is damaged.
void settle_options(const PreparationOptions& options);

}  // namespace raven::data
