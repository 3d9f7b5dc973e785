// Checkpoints: folders `step_00012000` that are whole or absent.
//
// A folder holds model.safetensors, optimizer.safetensors and state.json, which has a checksum for
// each file and for itself. It is written as `step_00012000.tmp`, flushed and renamed; then the
// symbolic link `last` beside it is replaced. Names in model.safetensors are those under which the
// modules are registered: `student_video.`, `teacher_audio.`, `predictor_<loss>.` ... and the
// published state-dict name.
//
// Names and the link are hints; what counts is what was verified. A process may end at any moment:
// the next one finds a step under its own name, or whole under one of the names that a step has
// while it is written (`.tmp`), replaced (`.replaced.tmp`) or removed (`.old.tmp`), and puts that
// back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "raven/data/loader.h"
#include "raven/data/manifest.h"
#include "raven/train/optimizer.h"
#include "raven/train/run_files.h"
#include "raven/weights/safetensors.h"

namespace raven::train {

/// What a run needs to go on exactly, besides its tensors. Everything random follows from seed,
/// epoch, step and item, so there are no generator states.
struct TrainState {
  std::int64_t step = 0;          // optimiser steps done
  data::LoaderPosition position;  // of the next batch
  std::uint64_t seed = 0;
  std::map<std::string, std::string> config;  // key.path -> value
  std::map<std::string, double> numbers;      // running averages, first measures
  std::string data_hash;                      // of what the loader reads; empty: not known
  std::int64_t batches_per_epoch = 0;         // 0: not known
  std::int64_t threads = 0;                   // of the networks on the CPU; 0: not known
  /// Files of the run's folder that belong to the weights, name -> checksum of their content.
  std::map<std::string, std::string> run_files = {};
  bool look_due = false;  // the held-out look at `step` was cut short
  bool interim = false;   // written because the run stopped, not because it was time for one
};

struct Checkpoint {
  std::filesystem::path folder;  // itself, not a link to it
  TrainState state;
  weights::TensorFile model, optimizer;
};

/// Whose tensors are read. All of a checkpoint is verified in any case.
enum class CheckpointPart { kAll, kModel };

/// Reads and verifies the checkpoint that `path` stands for, a folder or a run's link `last`. A run
/// that was killed right after it wrote a checkpoint leaves `last` behind: a later whole one beside
/// it is taken then, and the log says so. A step without its name that lies whole beside it under
/// one that it has while it is written or replaced (`.tmp`, `.replaced.tmp`) is taken as well.
///
/// Each file is opened once, all before the first is hashed, and what is read is what was hashed.
/// When a run replaces or removes the folder meanwhile, `path` is looked up again: give it as the
/// user did. Throws CheckpointError naming the folder, the file and what is wrong with it.
Checkpoint read_checkpoint(const std::filesystem::path& path,
                           CheckpointPart part = CheckpointPart::kAll);

/// The folder that read_checkpoint() would read, for whoever wants it damaged or not: `path`
/// itself, or what a link `last` leads to, where no later or waiting one is whole.
std::filesystem::path resolve_checkpoint(const std::filesystem::path& path);

/// Something is at `path`, or a checkpoint may be read all the same: of a run's link that leads to
/// nothing for a moment, or of a step that waits for its name.
bool exists_or_waits(const std::filesystem::path& path);

/// What `<run>/checkpoints/last` stands for, looked up and verified once.
class LastCheckpoint {
 public:
  explicit LastCheckpoint(const std::filesystem::path& run);
  ~LastCheckpoint();
  LastCheckpoint(const LastCheckpoint&) = delete;
  LastCheckpoint& operator=(const LastCheckpoint&) = delete;

  /// Its step; empty when there is none.
  std::optional<std::int64_t> step();
  /// As read_checkpoint() of the link.
  Checkpoint read(CheckpointPart part = CheckpointPart::kAll);

 private:
  struct Files;
  std::filesystem::path link_;
  std::unique_ptr<Files> files_;  // verified already
};

/// Copies a file's tensors into tensors of the same names. Throws CheckpointError listing every
/// missing and unexpected name and every other shape; `where` begins the message. Nothing is copied
/// then.
void load_strictly(const weights::TensorFile& file, const NamedTensors& into,
                   const std::string& where);

/// "0123abcd...": a checksum over keys and values.
std::string config_hash(const std::map<std::string, std::string>& config);

/// The same over ids, frame counts and labels of a manifest's utterances, in their order: what a
/// batch holds follows from them.
std::string data_hash(const data::Manifest& manifest);

/// LastCheckpoint::step() of that run.
std::optional<std::int64_t> last_step(const std::filesystem::path& run);

/// Puts back in `<run>/checkpoints` what an interrupted write, replacement or removal left whole,
/// and removes what it left in parts. Only for the run's owner. Throws SystemError.
void recover_checkpoints(const std::filesystem::path& folder);

/// The checkpoints of one run, in `<run>/checkpoints`.
class CheckpointFolder {
 public:
  /// Creates the folder and recovers it. Keeps the newest `keep` checkpoints and all whose step is
  /// a multiple of `keep_every` (0: none). An interim checkpoint does not count as one of them, and
  /// goes when a later one is written: a run that was stopped ends with the same checkpoints as one
  /// that was not.
  CheckpointFolder(std::filesystem::path folder, std::int64_t keep, std::int64_t keep_every);

  /// Writes a checkpoint, then removes those no longer kept: never this one, nor any because of one
  /// that is damaged or was refused. A step that is there already is replaced with no moment at
  /// which its name is missing, where the file system can exchange two names. Throws SystemError
  /// when the disk is full or read-only; the checkpoints that were there stand, and the message
  /// says whether the new one does.
  void save(const TrainState& state, const NamedTensors& model, const NamedTensors& optimizer);

  /// The newest whole checkpoint; empty when there is none at all. A damaged one is refused by name
  /// in the log and set aside as `<name>.damaged`; one that cannot be read (SystemError) is passed
  /// over and left where it is. Throws CheckpointError when none can be used.
  std::optional<Checkpoint> newest_whole();

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
  void point_last_to(std::int64_t step) const;
  void remove_old();
  void remove(std::int64_t step) const;
  bool is_whole(std::int64_t step);

  std::filesystem::path folder_;
  std::int64_t keep_, keep_every_;
  std::optional<std::int64_t> current_;    // written last, or gone on from
  std::map<std::int64_t, bool> is_whole_;  // of steps that were verified; false: refused
};

}  // namespace raven::train
