// How many CPU threads each rank of a run takes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "raven/distributed/communicator.h"

namespace raven::distributed {

/// What a rank's process may use.
struct RankCores {
  std::string host;        // its name and boot: another container's is another one
  std::string mask;        // of processors, as Linux writes it: "ff,ffffffff"
  std::int64_t cores = 1;  // of these, as many as a control group grants
};

/// Threads for each rank, as many for all, since sums are rounded by it: what the rank with the
/// fewest cores has, those that several ranks of a host may run on divided among them. Launchers
/// differ: Slurm may have bound each task to its own, torchrun gives all of them to all.
std::int64_t threads_of_each(const std::vector<RankCores>& ranks);

/// `wanted`, else threads_of_each() of all ranks, else, for one rank, 0: LibTorch's own choice. A
/// call of all ranks.
std::int64_t agree_on_threads(Communicator& ranks, std::int64_t wanted);

}  // namespace raven::distributed
