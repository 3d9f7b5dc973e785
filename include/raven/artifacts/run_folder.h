// A run's folder: one owner, one configuration, and what is written down at the start.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "raven/artifacts/run_files.h"
#include "raven/config/flat_config.h"
#include "raven/core/files.h"
#include "raven/core/folder_lock.h"

namespace raven::artifacts {

using config::FlatConfig;

/// Keys whose values differ, without those that a run may change when it goes on: its length, the
/// machine's settings (device, threads, data.workers, data.prefetch), reports and checkpoints, and
/// where the data's lists lie (their content is compared by data_hash). One line each:
/// "optimizer.lr: 0.003 there, 0.001 here".
/// `defaults`: of keys that an earlier raven did not write `there`.
std::vector<std::string> differences(const FlatConfig& there, const FlatConfig& here,
                                     const FlatConfig& defaults = {});

class RunFolder {
 public:
  /// kReader: another process of the same run owns the folder; here nothing is created, locked or
  /// recovered, and nothing of this class may be written.
  enum class Access { kOwner, kReader };

  /// Creates and locks `dir`, and recovers its checkpoints (recover_checkpoints): whoever asks for
  /// them sees what the run goes on from. Throws ConfigError naming the owner when another process
  /// has it, and when `dir` holds prepared data.
  explicit RunFolder(std::filesystem::path dir, Access access = Access::kOwner);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] bool is_owner() const { return lock_.has_value(); }
  [[nodiscard]] std::filesystem::path checkpoints() const { return path_ / kCheckpoints; }

  /// The run has written a checkpoint, whole or not: what it is made of can change no more.
  [[nodiscard]] bool has_checkpoints() const;

  /// Once there are checkpoints, compares with the configuration that the folder was made with;
  /// throws ConfigError that lists the differing keys when the folder belongs to another run. Then
  /// records config.yaml, config.json (keys and values, for the next comparison) and, where there
  /// are any, overrides.txt.
  /// `defaults` as for differences(); `json`: the same configuration with types (config::to_json),
  /// for config.json; empty: `config`.
  void claim(const FlatConfig& config, const std::string& yaml,
             const std::vector<std::string>& overrides, const FlatConfig& defaults = {},
             const std::string& json = {});

  /// Records environment.json: versions, build, host, and `facts` (device, threads, parameters,
  /// ...).
  void write_environment(const std::map<std::string, std::string>& facts);

  /// Writes what was recorded. A new run's records are written at once, those of a run that goes on
  /// when its checkpoint was accepted: a refused start changes nothing.
  void write_records();

  /// Adds lines to skipped.tsv ("id<TAB>reason<TAB>message"); an utterance appears once.
  void add_skipped(const std::vector<std::string>& lines);
  /// How many utterances skipped.tsv lists, by reason; those of earlier starts count.
  [[nodiscard]] const std::map<std::string, std::int64_t>& skipped() const {
    return skipped_by_reason_;
  }

 private:
  void check_owner() const;
  void record(const std::string& name, std::string text);
  bool count_skipped(const std::string& line);

  std::filesystem::path path_;
  std::optional<FolderLock> lock_;              // the owner's
  std::map<std::string, std::string> records_;  // file -> text, not yet written
  std::set<std::string> skipped_;               // ids written so far
  std::map<std::string, std::int64_t> skipped_by_reason_;
  std::uintmax_t skipped_bytes_ = 0;  // of whole lines
};

}  // namespace raven::artifacts
