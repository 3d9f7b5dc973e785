// Ranks that are processes: LibTorch's c10d over Gloo.
#pragma once

#include <chrono>
#include <exception>
#include <memory>
#include <stop_token>

#include "raven/distributed/communicator.h"
#include "raven/distributed/launch.h"

namespace raven::distributed {

struct JoinSettings {
  std::chrono::seconds join{300};   // until all ranks have come
  std::chrono::seconds lost{20};    // a rank that was not heard of for as long is lost
  std::chrono::seconds hang{1800};  // the others wait for a rank that lives, but does not come
};

/// Returns when all ranks of the launch have met and are connected. Tensors of a GPU are summed on
/// the CPU. While it lives, other ranks are watched: when one is lost, hangs or tells a failure, a
/// call throws PeerError, or the process ends with its code (src/distributed/watch.h). Throws Error
/// with what is wrong with the meeting, ConfigError when nothing says where it is; PeerError with
/// ExitCode::kStopped when it is asked to stop before all have come.
std::unique_ptr<Communicator> join(const Launch& launch, const JoinSettings& settings,
                                   const std::stop_token& stop = {});

/// Of a rank that cannot even join because of `error`: tells the ranks that wait for it, or gives
/// up after ten seconds. Does nothing for one process.
void tell_failure_at_start(const Launch& launch, const std::exception& error);

}  // namespace raven::distributed
