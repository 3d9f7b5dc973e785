// Which of several processes takes which batch of an epoch.
#pragma once

#include <algorithm>
#include <cstdint>

#include "raven/core/error.h"

namespace raven::data {

/// A batch of an epoch.
struct LoaderPosition {
  std::int64_t epoch = 0, batch = 0;
  bool operator==(const LoaderPosition&) const = default;
};

/// What one of `ranks` processes takes: of the batches of a step, which follow each other in the
/// epoch, those of number rank, rank + ranks, ... So the batches of a step are the same for any
/// number of processes.
struct Share {
  std::int64_t rank = 0, ranks = 1;
  std::int64_t step_batches = 0;  // of all processes; 0: one each

  /// In a step; 0 where there are more processes than batches.
  [[nodiscard]] std::int64_t own_batches() const {
    const auto all = step_batches == 0 ? ranks : step_batches;
    return rank < all ? (all - rank + ranks - 1) / ranks : 0;
  }
};

/// The way of a process through the batches, round by round: in a round each process takes one
/// batch of a step, but for the last ones where its batches are no multiple of the processes.
class Deal {
 public:
  /// `endless`: an epoch follows an epoch; else positions go on beyond the last batch.
  Deal(const Share& share, std::int64_t num_batches, bool endless)
      : share_(share), num_batches_(num_batches), endless_(endless) {
    RAVEN_CHECK(share.rank >= 0 && share.rank < share.ranks && share.step_batches >= 0,
                "rank {} of {}, steps of {}", share.rank, share.ranks, share.step_batches);
    if (share_.step_batches == 0) share_.step_batches = share_.ranks;
  }

  /// A step begins there.
  void begin_at(const LoaderPosition& position) {
    first_ = after(position, 0);
    index_ = 0;
  }
  /// False for a process that never has a batch.
  [[nodiscard]] bool takes_part() const { return share_.rank < share_.step_batches; }
  /// Of this process' next batch.
  [[nodiscard]] LoaderPosition own() const { return after(first_, share_.rank); }
  /// Of that which process 0 takes in the same round; at the end of a step that with which the next
  /// one begins.
  [[nodiscard]] const LoaderPosition& first() const { return first_; }
  /// To the next round in which this process has a batch.
  void advance() {
    do {
      const auto batches = std::min(share_.ranks, share_.step_batches - index_);
      first_ = after(first_, batches);
      index_ = (index_ + batches) % share_.step_batches;
    } while (takes_part() && index_ + share_.rank >= share_.step_batches);
  }

 private:
  [[nodiscard]] LoaderPosition after(LoaderPosition position, std::int64_t batches) const {
    position.batch += batches;
    while (endless_ && position.batch >= num_batches_) {
      ++position.epoch;
      position.batch -= num_batches_;
    }
    return position;
  }

  Share share_;
  std::int64_t num_batches_;
  bool endless_;
  LoaderPosition first_;
  std::int64_t index_ = 0;  // of first_ among the batches of its step
};

}  // namespace raven::data
