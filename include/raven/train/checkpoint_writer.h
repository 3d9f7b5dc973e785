// Checkpoints are written while training goes on.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <vector>

#include "raven/artifacts/checkpoint_folder.h"
#include "raven/nn/state_dict.h"

namespace raven::train {

/// A copy of tensors on the CPU, whose memory serves the next copy of the like.
class Snapshot {
 public:
  /// Copies; those of a GPU go to memory that it reaches directly. One without numbers (meta) gets
  /// memory, for whoever has them.
  void take(const nn::StateDict& tensors);
  [[nodiscard]] const nn::StateDict& tensors() const { return copies_; }
  void release() { copies_.clear(); }

 private:
  nn::StateDict copies_;
};

/// Writes the checkpoints of a run, one after another. One that was begun is ended before this is
/// destroyed, also where training has failed.
class CheckpointWriter {
 public:
  /// In the background a thread writes copies of the tensors, which take as much memory as the
  /// files on disk; else write() returns when the checkpoint is whole. `folder` must outlive it.
  CheckpointWriter(artifacts::CheckpointFolder& folder, bool in_background)
      : folder_(folder), in_background_(in_background) {}
  ~CheckpointWriter() = default;  // waits
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  /// What else a checkpoint takes.
  struct Calls {
    /// Puts numbers into the copy of the optimiser's state, where other ranks have them; empty:
    /// all are there.
    std::function<void(const nn::StateDict& optimizer)> fetch = {};
    /// Before anything is written.
    std::function<void()> ready = {};
    /// The checkpoint is whole, and training has waited for it so long; called in the thread that
    /// wrote it.
    std::function<void(double waited_s)> written = {};
  };

  /// The tensors may change once it returns. Waits for the checkpoint before, and throws what
  /// writing that one threw (SystemError), after `fetch`: other ranks take part in it.
  void write(artifacts::TrainState state, const nn::StateDict& model,
             const nn::StateDict& optimizer, Calls calls);

  /// Throws what the last writing threw, once it has ended.
  void check();

  /// Returns when nothing is being written; throws what the last writing threw.
  void wait();

 private:
  artifacts::CheckpointFolder& folder_;
  bool in_background_;
  Snapshot model_, optimizer_;
  std::future<void> writing_;  // last: it ends before what it reads from
};

}  // namespace raven::train
