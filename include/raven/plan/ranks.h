// What ranks cost and gain, on paper: bytes they sum, how long that takes, what of the speed is
// left.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "raven/config/run_config.h"
#include "raven/plan/networks.h"

namespace raven::plan {

/// Between the GPUs, or processes, of one machine and between machines: bytes a second of a ring,
/// seconds of a sum of a few numbers.
struct Link {
  std::string name;
  double inside_bytes_per_s = 0, inside_latency_s = 0;
  double outside_bytes_per_s = 0, outside_latency_s = 0;
  std::int64_t ranks_of_machine = 8;
};

/// Those of docs/scaling.md: stated, not measured.
const std::vector<Link>& stated_links();

/// One speed between all ranks.
Link link_of(double gbit_per_s, double latency_s);

/// What the ranks of a run exchange.
struct Exchange {
  double gradient_bytes = 0;         // that each rank hands in, a step
  std::int64_t batch_norm_sums = 0;  // of few numbers, which wait for each other, a batch
};

/// Gradients of all that is trained, in float32, or in float64 with train.batch_norm=own; with
/// train.batch_norm=all two sums in each BatchNorm's forward pass and one in its backward pass.
Exchange exchange_of(const Networks& networks, config::BatchStatistics statistics);

/// A step of so many batches, each of which takes a rank alone so many seconds.
struct StepWork {
  std::int64_t batches = 1;
  double batch_s = 0;
};

struct StepOfRanks {
  std::int64_t rounds = 1;  // batches of the rank that has most
  double compute_s = 0;     // these
  double sums_s = 0;        // of the gradients
  double exposed_s = 0;     // what of that backward does not hide
  double batch_norm_s = 0;  // which nothing hides
  double efficiency = 1;    // of as many ranks that had nothing to exchange and equal shares

  [[nodiscard]] double seconds() const { return compute_s + exposed_s + batch_norm_s; }
};

/// Gradients are summed in a ring, 2 (R - 1) / R of them over the slowest link, while the last
/// batch's backward runs, two thirds of its time. A sum of few numbers takes the longer the more
/// ranks there are: latency (1 + log2(R) / 4).
StepOfRanks step_of_ranks(const StepWork& work, const Exchange& exchange, std::int64_t ranks,
                          const Link& link);

}  // namespace raven::plan
