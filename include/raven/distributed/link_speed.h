// How long sums over the ranks of a run take.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <vector>

#include "raven/distributed/communicator.h"

namespace raven::distributed {

struct SumTrial {
  std::int64_t bytes = 8;  // of float32, a multiple of 4
  std::int64_t most = 10;  // sums that are timed, after one that is not
  double enough_s = 3;     // no further one begins after that time
};

/// Seconds of each sum, those of rank 0, on every rank: at least one. A call of all ranks.
std::vector<double> time_sums(Communicator& ranks, const SumTrial& trial,
                              const torch::Device& device);

/// The smallest of these times that this share of them does not exceed: 0.5 gives the median.
double quantile(std::vector<double> seconds, double share);

}  // namespace raven::distributed
