// What a folder of prepared data says of itself: finished shards, verdicts, options.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "data/validation_fold.h"
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

/// "trainval-00012": trainval, 12.
struct ShardName {
  std::string subset;  // "clips" for none
  std::int64_t number = 0;
};

/// The finished shards of a folder, and `prepare.json`: the options that it was prepared with,
/// which shards were begun, and which part is for validation.
class PreparationRecord {
 public:
  /// Reads what is there and removes what unfinished shards left that were begun here. Throws
  /// ConfigError naming the option that differs from those the folder was prepared with, a damaged
  /// prepare.json, or what is called like a shard but was not begun here: nothing of others is ever
  /// removed. Nothing is written to the folder or removed from it before that is known.
  ///
  /// Folders of earlier versions do not say what was begun: there it is the shards of `subsets`
  /// and of finished shards, up to the next number.
  PreparationRecord(const PreparationOptions& options, const std::set<std::string>& subsets);

  /// Null when no finished shard speaks of the clip; a later shard's verdict counts.
  [[nodiscard]] const ClipVerdict* find(const std::string& id) const;
  [[nodiscard]] const std::vector<Utterance>& utterances() const { return utterances_; }
  [[nodiscard]] std::vector<ClipVerdict> verdicts() const;  // by id

  /// Where the next shard of a subset goes. From here on it counts as begun, on disk as well.
  ShardFiles begin(const std::string& subset);

  [[nodiscard]] const std::optional<ValidationFold>& validation() const { return validation_; }
  /// On disk as well, before any list is written by it.
  void keep(const ValidationFold& fold);

  /// A shard that was finished just now; takes the number.
  void add(const std::string& subset, const std::vector<ClipVerdict>& verdicts,
           std::vector<Utterance> utterances);

 private:
  void read_finished(const ShardName& shard);
  void write() const;
  [[nodiscard]] std::int64_t next_number(const std::string& subset) const;

  std::filesystem::path file_;
  std::filesystem::path shards_;
  std::string options_;          // prepare.json as it was read
  std::set<std::string> begun_;  // "trainval-00012", printable
  std::optional<ValidationFold> validation_;
  std::map<std::string, ClipVerdict> verdicts_;
  std::map<std::string, std::int64_t> next_number_;  // by subset
  std::vector<Utterance> utterances_;                // in the order of the shards
};

}  // namespace raven::data
