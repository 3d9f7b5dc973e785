#include "raven/distributed/joined_ranks.h"

#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/core/variables.h"
#include "raven/distributed/process_ranks.h"

namespace raven::distributed {

JoinedRanks::JoinedRanks(const config::MeetingConfig& meeting, const std::stop_token& stop)
    : launch_(read_launch(read_variables())) {
  if (launch_.size == 1) return;
  log::start_rank(static_cast<int>(launch_.rank));
  joined_ = join(launch_,
                 {.join = std::chrono::seconds(meeting.join_s),
                  .lost = std::chrono::seconds(meeting.lost_s),
                  .hang = std::chrono::seconds(meeting.hang_s)},
                 stop);
}

void tell_failure_at_start(const std::exception& error) {
  Launch launch;
  try {
    launch = read_launch(read_variables());
  } catch (const ConfigError&) {  // it is what is wrong: nobody can be found
    return;
  }
  tell_failure_at_start(launch, error);
}

}  // namespace raven::distributed
