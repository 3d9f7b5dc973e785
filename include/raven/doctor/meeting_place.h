// Where the ranks of a run meet, as one of their hosts sees it: address, port, interfaces.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "raven/core/variables.h"
#include "raven/doctor/finding.h"

namespace raven::doctor {

struct MeetingPlace {
  std::string host = {};  // MASTER_ADDR; empty: nobody says
  std::int64_t port = 0;
  bool keeps_store = false;                  // rank 0 listens at the port itself, and this is it
  std::optional<bool> several_hosts = {};    // the ranks are on; nothing: the variables do not tell
  std::vector<std::string> addresses = {};   // of the host, as known here
  int port_error = 0;                        // errno of taking the port; 0: it is free, or not ours
  std::vector<std::string> interfaces = {};  // of this host: "lo", "eth0"
};

/// Whether the ranks of a launcher are on more than one host, where its variables tell.
std::optional<bool> on_several_hosts(const Variables& variables);

/// Looks the host's addresses up, and whether its port can be taken where `keeps_store`.
MeetingPlace read_meeting_place(const std::string& host, std::int64_t port, bool keeps_store);

/// Those that a variable of NCCL means: "eth,ib" begin so, "=eth0" is that one, "^docker" all but
/// these.
std::vector<std::string> meant_interfaces(std::string_view value,
                                          const std::vector<std::string>& interfaces);

/// ranks.address, ranks.port, ranks.interfaces.
Findings check_meeting_place(const MeetingPlace& place, const Variables& variables);

}  // namespace raven::doctor
