// The checkpoints of one run: what is written, kept, removed and gone on from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <vector>

#include "raven/artifacts/checkpoint.h"

namespace raven::artifacts {

/// Puts back in `<run>/checkpoints` what an interrupted write, replacement or removal left whole,
/// and removes what it left in parts. Only for the run's owner. Throws SystemError.
void recover_checkpoints(const std::filesystem::path& folder);

/// Where the checkpoint of a step is in `<run>/checkpoints`.
std::filesystem::path path_of_step(const std::filesystem::path& folder, std::int64_t step);

/// The newest whole checkpoint in `<run>/checkpoints` of another process, in which nothing is
/// changed; empty when there is none that can be read.
std::optional<Checkpoint> newest_readable(const std::filesystem::path& folder);

/// The checkpoints of one run, in `<run>/checkpoints`.
class CheckpointFolder {
 public:
  /// Creates the folder and recovers it. Keeps the newest `keep` checkpoints and all whose step is
  /// a multiple of `keep_every` (0: none). An interim checkpoint does not count as one of them, and
  /// goes when a later one is written: a run that was stopped ends with the same checkpoints as one
  /// that was not. Another one that stays is that of TrainState::best of what was written last, or
  /// gone on from: the link `best` points to it.
  CheckpointFolder(std::filesystem::path folder, std::int64_t keep, std::int64_t keep_every);

  /// Writes a checkpoint, then removes those no longer kept: never this one, nor any because of one
  /// that is damaged or was refused. A step that is there already is replaced with no moment at
  /// which its name is missing, where the file system can exchange two names. Throws SystemError
  /// when the disk is full or read-only; the checkpoints that were there stand, and the message
  /// says whether the new one does.
  void save(const TrainState& state, const nn::StateDict& model, const nn::StateDict& optimizer);

  /// The newest whole checkpoint; empty when there is none at all. A damaged one is refused by name
  /// in the log and set aside as `<name>.damaged`; one that cannot be read (SystemError) is passed
  /// over and left where it is. Throws CheckpointError when none can be used. `before`: only
  /// earlier steps.
  std::optional<Checkpoint> newest_whole(std::optional<std::int64_t> before = std::nullopt);

  /// The run goes on from that step: `last` points to it again, and it is not removed until a later
  /// one is written. Later steps, which could not be read, stay until the run writes another one
  /// before them; then they are no longer of this run and are set aside as `<name>.abandoned`.
  /// Throws SystemError.
  void go_on_from(std::int64_t step);

  /// At the end of a run: `last` is right and what is no longer kept is gone, also when an earlier
  /// process was killed before it came to that. Throws SystemError.
  void settle();

  /// Steps of the newest `count` whole checkpoints, ascending, up to the one that was written last
  /// (before that, that `last` points to); an interim one counts only as the very newest. A damaged
  /// one among them is named in the log, set aside and passed over; one that cannot be read is
  /// named and passed over.
  std::vector<std::int64_t> newest_regular(std::size_t count);

  /// Steps of the checkpoints present, ascending.
  [[nodiscard]] std::vector<std::int64_t> steps() const;
  [[nodiscard]] std::filesystem::path path_of(std::int64_t step) const;

 private:
  void abandon_later_than(std::int64_t step) const;
  void point(const char* link, std::int64_t step) const;
  void point_to_current() const;
  void remove_old();
  void remove(std::int64_t step) const;
  bool is_whole(std::int64_t step);

  std::filesystem::path folder_;
  std::int64_t keep_, keep_every_;
  std::optional<std::int64_t> current_;    // written last, or gone on from
  std::optional<std::int64_t> best_;       // that it tells of
  std::map<std::int64_t, bool> is_whole_;  // of steps that were verified; false: refused
};

}  // namespace raven::artifacts
