// The ranks that a launcher has started this process among.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>

#include "raven/config/run_config.h"
#include "raven/distributed/communicator.h"
#include "raven/distributed/launch.h"

namespace raven::distributed {

/// Joined for as long as it lives; one rank where nobody has started several.
class JoinedRanks {
 public:
  /// As read_launch() and join(); names this rank in its log.
  explicit JoinedRanks(const config::MeetingConfig& meeting);

  [[nodiscard]] Communicator& all() { return joined_ ? *joined_ : one_rank(); }
  [[nodiscard]] const Launch& launch() const { return launch_; }

  /// CPU threads of this process: `wanted`, or for 0 its share of the host's cores; 0: all cores.
  [[nodiscard]] std::int64_t threads(std::int64_t wanted) const;

  /// What `action` returns; where it throws, the other ranks are told.
  template <class Action>
  auto run(const Action& action) {
    try {
      return action(all());
    } catch (const std::exception& error) {
      all().tell_failure(error);
      throw;
    }
  }

 private:
  Launch launch_;
  std::unique_ptr<Communicator> joined_;
};

}  // namespace raven::distributed
