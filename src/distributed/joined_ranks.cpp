#include "raven/distributed/joined_ranks.h"

#include "raven/core/control_group.h"
#include "raven/core/log.h"
#include "raven/core/variables.h"
#include "raven/distributed/process_ranks.h"
#include "raven/doctor/processor.h"

namespace raven::distributed {

JoinedRanks::JoinedRanks(const config::MeetingConfig& meeting)
    : launch_(read_launch(read_variables())) {
  if (launch_.size == 1) return;
  log::start_rank(static_cast<int>(launch_.rank));
  joined_ = join(launch_, {.join = std::chrono::seconds(meeting.join_s),
                           .lost = std::chrono::seconds(meeting.lost_s),
                           .hang = std::chrono::seconds(meeting.hang_s)});
}

std::int64_t JoinedRanks::threads(std::int64_t wanted) const {
  return threads_of(launch_, wanted, doctor::read_processor(read_control_group()).cores);
}

}  // namespace raven::distributed
