// Variables of NCCL, c10d, CUDA and OpenMP with which the exchange between ranks hangs or is slow.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "raven/core/variables.h"
#include "raven/doctor/finding.h"

namespace raven::doctor {

/// What a rank of a host works with.
struct RankUse {
  bool gpu = false;                          // may be used; else NCCL and CUDA do not matter
  std::int64_t local_ranks = 1;              // on this host
  std::vector<std::string> infiniband = {};  // its InfiniBand and RoCE adapters: "mlx5_0"
};

/// Names in /sys/class/infiniband.
std::vector<std::string> read_infiniband();

/// ranks.variables: one for each variable that does harm, or one for all. Sources: NCCL's guide,
/// "Environment Variables"; PyTorch's list of ProcessGroupNCCL's variables; NVIDIA/nccl issue 750.
Findings check_rank_variables(const Variables& variables, const RankUse& use);

}  // namespace raven::doctor
