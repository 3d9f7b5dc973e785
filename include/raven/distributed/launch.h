// Which of how many processes this one is, as its launcher says.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "raven/core/variables.h"

namespace raven::distributed {

/// Set for the processes that raven itself has started as ranks, to its process number.
inline constexpr const char* kRanksOf = "RAVEN_RANKS_OF";

struct Launch {
  std::string by;  // "torchrun", "srun", "mpirun", "raven", "the launcher"; empty: nobody
  std::int64_t rank = 0, size = 1;
  std::int64_t local_rank = 0, local_size = 1;  // among the processes of its host
  std::string host;        // where rank 0 can be met; empty: not told, or one process
  std::string other_host;  // the same, where `host` is a name that nobody knows; empty: none
  std::int64_t port = 0;
  bool has_store = false;  // the launcher keeps the store (c10d's TCPStore); else rank 0 does
};

/// RANK and WORLD_SIZE (torchrun, Kubernetes' PyTorchJob), else those of Open MPI, else those of a
/// task of srun. Where MASTER_ADDR and MASTER_PORT are not set, srun's tasks meet at the first node
/// of their list, at a port that follows from the numbers of job and step, and mpirun's on this
/// host if all of them run on it. The script of a batch job is one process, however many tasks the
/// job may have. Throws ConfigError naming the variables that do not fit each other.
Launch read_launch(const Variables& variables);

/// "n[1-2,07-09],gpu3" -> n1, n2, n07, n08, n09, gpu3: Slurm's lists of hosts. Throws ConfigError
/// for what is none, and for more than 65,536 hosts.
std::vector<std::string> expand_hosts(std::string_view list);

}  // namespace raven::distributed
