// The store that the ranks of a run share: c10d's TCPStore.
#pragma once

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <chrono>
#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "raven/distributed/launch.h"

namespace raven::distributed {

using Store = c10::intrusive_ptr<c10d::Store>;

/// One process of a run.
struct Member {
  std::string host;
  std::int64_t process = 0;
  std::string address = {};  // of its host, on the way to that of the store; empty: not known
};

/// "rank 1 (n2, process 77)"
std::string name_of(std::int64_t rank, const Member& member);

/// Where all ranks have come together.
struct Meeting {
  std::string host;  // of the store
  std::uint16_t port = 0;
  std::string room;  // prefix of this run's keys, see Note [Rooms]
  Store store;       // with these keys alone
  std::vector<Member> members;
};

/// Waits until every rank is there, and tells meanwhile whom it waits for. Throws Error naming
/// host, port and the ranks that are missing after `longest`, of which there are two, or that were
/// told another number of ranks; PeerError for the failure of another rank, and with
/// ExitCode::kStopped when it is asked to stop.
Meeting meet(const Launch& launch, std::chrono::seconds longest, const std::stop_token& stop = {});

struct Verdict;
/// A rank that fails before it could join: tells those who wait for it, as far as they can be
/// reached within `longest`.
void tell_waiting_ranks(const Launch& launch, const Verdict& verdict, std::chrono::seconds longest);

/// Another connection to the store of a meeting, for another thread.
Store connect_again(const Meeting& meeting, const Launch& launch, std::chrono::seconds longest);

/// What a rank ends because of, for all others.
struct Verdict {
  int code = 1;
  std::string text;  // one line
};

/// The first verdict on a run counts; returns it.
Verdict publish(c10d::Store& store, const Verdict& verdict);
/// Empty text: there is none.
Verdict read_verdict(c10d::Store& store);

}  // namespace raven::distributed
