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
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "raven/artifacts/run_files.h"
#include "raven/data/loader.h"
#include "raven/data/manifest.h"
#include "raven/nn/state_dict.h"
#include "raven/weights/safetensors.h"

namespace raven::artifacts {

/// How the random numbers of a step follow from the seed. 1: once for a step, whose batches draw
/// one after another; 2: for each batch of a step.
inline constexpr std::int64_t kSeeding = 2;

/// The best evaluation on held-out data of a run that keeps its checkpoint.
struct BestSoFar {
  std::int64_t step = 0;
  double value = 0;                    // the lower the better
  std::int64_t evaluations_since = 0;  // that were no better
};

/// What a run needs to go on exactly, besides its tensors. Everything random follows from seed,
/// epoch, step and item, so there are no generator states.
struct TrainState {
  std::int64_t step = 0;          // optimiser steps done
  std::int64_t length = 0;        // of the run when this was made, in steps; 0: not known
  data::LoaderPosition position;  // of the next batch
  std::uint64_t seed = 0;
  std::map<std::string, std::string> config;  // key.path -> value
  std::map<std::string, double> numbers;      // running averages, first measures
  std::string data_hash;                      // of what the loader reads; empty: not known
  std::int64_t batches_per_epoch = 0;         // 0: not known
  std::int64_t ranks = 1;                     // processes that trained together
  std::int64_t threads = 0;                   // of the networks on the CPU; 0: not known
  /// Files of the run's folder that belong to the weights, name -> checksum of their content.
  std::map<std::string, std::string> run_files = {};
  /// What the models' files say of how they were made (weights::kOrigin).
  std::map<std::string, std::string> card = {};
  std::int64_t seeding = kSeeding;
  bool evaluation_due = false;  // the evaluation at `step` was cut short
  bool interim = false;  // written because the run stopped, or was at its best, not because it was
                         // time for one
  std::optional<BestSoFar> best = {};  // whose checkpoint stays; empty: none is kept
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
  /// Its state; empty when there is none that can be read.
  std::optional<TrainState> state();
  /// As read_checkpoint() of the link.
  Checkpoint read(CheckpointPart part = CheckpointPart::kAll);

 private:
  struct Files;
  std::filesystem::path link_;
  std::unique_ptr<Files> files_;  // verified already
};

/// Copies a file's tensors into tensors of the same names. Throws CheckpointError listing missing
/// names, other shapes and unexpected names, `most` of each and how many more there are; `where`
/// begins the message. Nothing is copied then.
void load_strictly(const weights::TensorFile& file, const nn::StateDict& into,
                   const std::string& where,
                   std::size_t most = std::numeric_limits<std::size_t>::max());

/// "0123abcd...": a checksum over keys and values.
std::string config_hash(const std::map<std::string, std::string>& config);

/// The same over ids, frame counts and labels of a manifest's utterances, in their order: what a
/// batch holds follows from them.
std::string data_hash(const data::Manifest& manifest);

/// LastCheckpoint::step() of that run.
std::optional<std::int64_t> last_step(const std::filesystem::path& run);

}  // namespace raven::artifacts
