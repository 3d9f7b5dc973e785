#include "distributed/store.h"

#include <netdb.h>
#include <spdlog/fmt/fmt.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <thread>

#include "core/text_file.h"
#include "distributed/own_address.h"
#include "raven/core/error.h"
#include "raven/core/interrupt.h"
#include "raven/core/log.h"

namespace raven::distributed {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr const char* kVerdict = "verdict";
constexpr const char* kBegun = "begun";  // all ranks have met
constexpr auto kTellAfter = 10s;
constexpr auto kPoll = 100ms;

bool is_known(const std::string& host) {
  struct addrinfo hints {};
  hints.ai_socktype = SOCK_STREAM;
  struct addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return false;
  ::freeaddrinfo(found);
  return true;
}

std::string host_of(const Launch& launch) {
  if (launch.host.empty()) {
    throw ConfigError(fmt::format(
        "{} started {} processes on several hosts, but nothing says where they meet: set "
        "MASTER_ADDR to the address of the host of rank 0 (mpirun -x MASTER_ADDR=...)",
        launch.by, launch.size));
  }
  if (is_known(launch.host)) return launch.host;
  if (!launch.other_host.empty() && is_known(launch.other_host)) {
    log::info("the first node's name {} is not known here; its address is {}", launch.host,
              launch.other_host);
    return launch.other_host;
  }
  throw Error(
      fmt::format("rank {} of {}: the host {}, where the ranks meet, has no address here; set "
                  "MASTER_ADDR to the address of the host of rank 0",
                  launch.rank, launch.size, launch.host));
}

/// While it lives, says every ten seconds what is waited for.
class Waiting {
 public:
  explicit Waiting(std::string text)
      : text_(std::move(text)), thread_([this](const std::stop_token& stop) {
          const auto begin = Clock::now();
          std::unique_lock lock(mutex_);
          while (!ended_.wait_for(lock, stop, kTellAfter, [&] { return stop.stop_requested(); })) {
            log::warn(
                "{} (for {} s so far)", text_,
                std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - begin).count());
          }
        }) {}

 private:
  std::string text_;
  std::mutex mutex_;
  std::condition_variable_any ended_;
  std::jthread thread_;  // last: it uses everything above
};

c10d::TCPStoreOptions options_of(const Launch& launch, bool serves, std::chrono::seconds longest) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<std::uint16_t>(launch.port);
  options.isServer = serves;
  options.waitWorkers = false;  // meet() does, and says for whom
  options.timeout = longest;
  return options;
}

Store with_prefix(const std::string& prefix, Store store) {
  return c10::make_intrusive<c10d::PrefixStore>(prefix, std::move(store));
}

void throw_if_stopped(const std::stop_token& stop) {
  if (!stop.stop_requested()) return;
  throw PeerError("stopped before all ranks had come", static_cast<int>(ExitCode::kStopped));
}

/// In short tries, between which it may be asked to stop.
Store open_store(const Launch& launch, const std::string& host, std::chrono::seconds longest,
                 const std::stop_token& stop) {
  constexpr std::chrono::seconds kTry{2};
  const bool serves = launch.rank == 0 && !launch.has_store;
  const Waiting waiting(fmt::format(
      "rank {}: no connection to rank 0 at {}:{} yet; is it started there, and may this host "
      "connect to that port?",
      launch.rank, host, launch.port));
  const auto begin = Clock::now();
  while (true) {
    throw_if_stopped(stop);
    try {
      auto store = c10::make_intrusive<c10d::TCPStore>(
          host, options_of(launch, serves, serves ? longest : std::min(kTry, longest)));
      store->setTimeout(longest);
      return store;
    } catch (const c10::Error& error) {
      if (serves) {
        throw Error(fmt::format(
            "rank 0 cannot listen at port {}: {}\nanother run may use it: give MASTER_PORT another "
            "one for all ranks, or end that run",
            launch.port, error.what_without_backtrace()));
      }
    }
    if (Clock::now() - begin < longest) continue;
    throw Error(fmt::format(
        "rank {} could not reach rank 0 at {}:{} within {} s: is the address that of its host "
        "(MASTER_ADDR), the port the same for all (MASTER_PORT), and open in the firewall?",
        launch.rank, host, launch.port, longest.count()));
  }
}

std::string key_of(const char* what, std::int64_t rank) { return fmt::format("{}/{}", what, rank); }

std::string own_host() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return host.data();
}

[[noreturn]] void throw_two_of(const Launch& launch, c10d::Store& room) {
  const auto text = fmt::format(
      "two processes were started as rank {}; the second is process {} on {}: each needs a "
      "RANK of its own, and a port that no other run uses",
      launch.rank, ::getpid(), own_host());
  // Ranks that train already are not those of the one who comes late.
  if (!room.check({kBegun}))
    publish(room, {.code = static_cast<int>(ExitCode::kFailed), .text = text});
  throw Error(text);
}

std::string random_word() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}-{}", random(), random(), ::getpid());
}

/// Note [Rooms]: a launcher's store may outlive the ranks. torchrun's agents keep it while they
/// start lost ranks again, and one script may run several commands. What an earlier start wrote
/// there must mean nothing now, and no count of starts tells them apart, since every agent has its
/// own. So rank 0 opens a room, a prefix of random name, at each start; every other rank says hello
/// with a random word, to which rank 0 answers with the name of the room. Hellos of ranks that are
/// gone are answered, too, and nobody hears it.
class Lobby {
 public:
  Lobby(const Launch& launch, Store store)
      : launch_(launch), store_(with_prefix("raven", std::move(store))) {}

  /// The name of the room.
  std::string enter(std::chrono::seconds longest, const std::stop_token& stop) {
    const auto word = random_word();
    if (launch_.rank == 0) {
      store_->set(kFirst, word);
      return word;
    }
    store_->set(key_of("hello", store_->add(kHellos, 1)), word);
    const auto answer = "answer/" + word;
    const Waiting waiting(fmt::format("rank {}: waits for rank 0", launch_.rank));
    for (const auto begin = Clock::now(); !store_->check({answer});) {
      throw_if_stopped(stop);
      if (Clock::now() - begin > longest) {
        throw Error(fmt::format(
            "rank {}: rank 0 has not come to {}:{} after {} s: was it started, with the same "
            "MASTER_ADDR and MASTER_PORT?",
            launch_.rank, launch_.host, launch_.port, longest.count()));
      }
      std::this_thread::sleep_for(kPoll);
    }
    return store_->get_to_str(answer);
  }

  /// Of rank 0: answers who has said hello.
  void answer(const std::string& room, c10d::Store& inside) {
    if (store_->get_to_str(kFirst) != room) throw_two_of(launch_, inside);
    for (const auto count = store_->add(kHellos, 0); heard_ < count;) pending_.insert(++heard_);
    std::erase_if(pending_, [&](std::int64_t hello) {
      const auto key = key_of("hello", hello);
      if (!store_->check({key})) return false;
      store_->set("answer/" + store_->get_to_str(key), room);
      return true;
    });
  }

  [[nodiscard]] Store room(const std::string& name) const { return with_prefix(name, store_); }

 private:
  static constexpr const char* kFirst = "first";
  static constexpr const char* kHellos = "hellos";

  const Launch& launch_;
  Store store_;
  std::int64_t heard_ = 0;
  std::set<std::int64_t> pending_;  // that are announced, but not written yet
};

/// What a rank says of itself: "<ranks>\t<process>\t<address>\t<host>".
void write_member(c10d::Store& room, const Launch& launch, const Meeting& meeting) {
  room.set(key_of("member", launch.rank),
           fmt::format("{}\t{}\t{}\t{}", launch.size, ::getpid(),
                       address_towards(meeting.host, meeting.port), own_host()));
}

Member read_member(c10d::Store& room, const Launch& launch, std::int64_t rank) {
  const auto text = room.get_to_str(key_of("member", rank));
  std::string_view rest = text;
  const auto cell = [&] {
    const auto end = std::min(rest.find('\t'), rest.size());
    const auto part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return part;
  };
  const auto size = whole_number(cell());
  Member member{.host = {}, .process = whole_number(cell()).value_or(0)};
  member.address = cell();
  member.host = rest;
  if (size == launch.size) return member;
  throw ConfigError(
      fmt::format("{} was started as one of {} ranks, rank {} as one of {}: WORLD_SIZE must be the "
                  "same for all",
                  name_of(rank, member), size.value_or(0), launch.rank, launch.size));
}

std::vector<std::int64_t> missing_ranks(c10d::Store& room, const Launch& launch) {
  std::vector<std::int64_t> missing;
  for (std::int64_t rank = 0; rank < launch.size; ++rank) {
    if (!room.check({key_of("member", rank)})) missing.push_back(rank);
  }
  return missing;
}

void throw_if_failed(c10d::Store& store) {
  if (const auto verdict = read_verdict(store); !verdict.text.empty())
    throw PeerError(verdict.text, verdict.code);
}

void wait_for_all(Lobby& lobby, const Meeting& meeting, const Launch& launch,
                  std::chrono::seconds longest, const std::stop_token& stop) {
  auto& room = *meeting.store;
  const auto begin = Clock::now();
  auto told = begin;
  while (true) {
    if (launch.rank == 0) lobby.answer(meeting.room, room);
    const auto missing = missing_ranks(room, launch);
    throw_if_failed(room);
    if (missing.empty()) return;
    throw_if_stopped(stop);
    const auto now = Clock::now();
    const auto are_missing =
        fmt::format("{} of {} ranks are here; missing: {}", launch.size - std::ssize(missing),
                    launch.size, fmt::join(missing, ", "));
    if (now - begin > longest) {
      throw Error(
          fmt::format("{} after {} s: were all started, with the same MASTER_ADDR and "
                      "MASTER_PORT, and can they connect?",
                      are_missing, longest.count()));
    }
    if (now - told > kTellAfter) {
      log::warn("{}", are_missing);
      told = now;
    }
    std::this_thread::sleep_for(kPoll);
  }
}

/// In the lobby, and its room entered.
Meeting begin_meeting(const Launch& launch, std::chrono::seconds longest,
                      const std::stop_token& stop, std::optional<Lobby>& lobby) {
  Meeting meeting{.host = host_of(launch),
                  .port = static_cast<std::uint16_t>(launch.port),
                  .room = {},
                  .store = {},
                  .members = {}};
  lobby.emplace(launch, open_store(launch, meeting.host, longest, stop));
  meeting.room = lobby->enter(longest, stop);
  meeting.store = lobby->room(meeting.room);
  return meeting;
}

}  // namespace

std::string name_of(std::int64_t rank, const Member& member) {
  return fmt::format("rank {} ({}, process {})", rank, member.host, member.process);
}

Verdict publish(c10d::Store& store, const Verdict& verdict) {
  const auto text = fmt::format("{}\t{}", verdict.code, verdict.text);
  store.compareSet(kVerdict, std::string(), text);
  return read_verdict(store);
}

Verdict read_verdict(c10d::Store& store) {
  if (!store.check({kVerdict})) return {};
  const auto text = store.get_to_str(kVerdict);
  const auto tab = text.find('\t');
  return {.code = static_cast<int>(whole_number(text.substr(0, tab)).value_or(1)),
          .text = text.substr(tab + 1)};
}

Meeting meet(const Launch& launch, std::chrono::seconds longest, const std::stop_token& stop) {
  std::optional<Lobby> lobby;
  try {
    auto meeting = begin_meeting(launch, longest, stop, lobby);
    auto& room = *meeting.store;
    if (room.add(key_of("started", launch.rank), 1) > 1) throw_two_of(launch, room);
    write_member(room, launch, meeting);
    wait_for_all(*lobby, meeting, launch, longest, stop);
    room.set(kBegun, std::string("1"));
    for (std::int64_t rank = 0; rank < launch.size; ++rank)
      meeting.members.push_back(read_member(room, launch, rank));
    return meeting;
  } catch (const c10::Error& error) {
    throw Error(fmt::format("rank {}: the connection to rank 0 at {}:{} was lost: {}", launch.rank,
                            launch.host, launch.port, error.what_without_backtrace()));
  }
}

void tell_waiting_ranks(const Launch& launch, const Verdict& verdict,
                        std::chrono::seconds longest) {
  const auto until = Clock::now() + longest;
  std::optional<Lobby> lobby;
  try {
    const auto meeting = begin_meeting(launch, longest, {}, lobby);
    auto& room = *meeting.store;
    publish(room, verdict);
    write_member(room, launch, meeting);
    while (launch.rank == 0 && !missing_ranks(room, launch).empty() && Clock::now() < until) {
      lobby->answer(meeting.room, room);
      std::this_thread::sleep_for(kPoll);
    }
  } catch (const std::exception&) {  // nobody waits, or none that can be reached
  }
}

Store connect_again(const Meeting& meeting, const Launch& launch, std::chrono::seconds longest) {
  const Lobby lobby(launch, c10::make_intrusive<c10d::TCPStore>(
                                meeting.host, options_of(launch, /*serves=*/false, longest)));
  return lobby.room(meeting.room);
}

}  // namespace raven::distributed
