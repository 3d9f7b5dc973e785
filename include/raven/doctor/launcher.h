// The variables by which torchrun, srun and others tell a process which of how many it is.
#pragma once

#include <cstdint>

#include "raven/core/variables.h"
#include "raven/doctor/finding.h"

namespace raven::doctor {

/// WORLD_SIZE where it is a number from 1, else 1.
std::int64_t world_size(const Variables& variables);

/// launcher.rank, launcher.rendezvous, launcher.local_rank, launcher.slurm. `gpus`: that can be
/// seen; 0 when none shall be used.
Findings check_launcher(const Variables& variables, std::int64_t gpus);

}  // namespace raven::doctor
