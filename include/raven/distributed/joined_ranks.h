// The ranks that a launcher has started this process among.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <stop_token>

#include "raven/config/run_config.h"
#include "raven/distributed/communicator.h"
#include "raven/distributed/launch.h"

namespace raven::distributed {

/// Tells the ranks that a launcher started beside this one, and that wait for it. Does nothing for
/// one process.
void tell_failure_at_start(const std::exception& error);

/// Joined for as long as it lives; one rank where nobody has started several.
class JoinedRanks {
 public:
  /// As read_launch() and join(); names this rank in its log.
  explicit JoinedRanks(const config::MeetingConfig& meeting, const std::stop_token& stop = {});

  [[nodiscard]] Communicator& all() { return joined_ ? *joined_ : one_rank(); }
  [[nodiscard]] const Launch& launch() const { return launch_; }

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

/// `action` of a process that has not joined yet: where it throws, ranks that wait are told.
template <class Action>
auto before_joining(const Action& action) {
  try {
    return action();
  } catch (const std::exception& error) {
    tell_failure_at_start(error);
    throw;
  }
}

}  // namespace raven::distributed
