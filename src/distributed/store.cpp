#include "distributed/store.h"

#include <netdb.h>
#include <spdlog/fmt/fmt.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "core/text_file.h"
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

std::string prefix_of(const Launch& launch) { return fmt::format("raven/{}", launch.attempt); }

Store with_prefix(const Launch& launch, Store store) {
  return c10::make_intrusive<c10d::PrefixStore>(prefix_of(launch), std::move(store));
}

Store open_store(const Launch& launch, const std::string& host, std::chrono::seconds longest) {
  const bool serves = launch.rank == 0 && !launch.has_store;
  const Waiting waiting(fmt::format(
      "rank {}: no connection to rank 0 at {}:{} yet; is it started there, and may this host "
      "connect to that port?",
      launch.rank, host, launch.port));
  try {
    return c10::make_intrusive<c10d::TCPStore>(host, options_of(launch, serves, longest));
  } catch (const c10::Error& error) {
    if (serves) {
      throw Error(fmt::format(
          "rank 0 cannot listen at port {}: {}\nanother run may use it: give MASTER_PORT another "
          "one for all ranks, or end that run",
          launch.port, error.what_without_backtrace()));
    }
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

/// What a rank says of itself: "<ranks>\t<process>\t<host>".
Member read_member(c10d::Store& store, const Launch& launch, std::int64_t rank) {
  const auto text = store.get_to_str(key_of("member", rank));
  const auto size_end = text.find('\t'), process_end = text.find('\t', size_end + 1);
  const auto size = whole_number(text.substr(0, size_end));
  const auto process = whole_number(text.substr(size_end + 1, process_end - size_end - 1));
  const Member member{.host = text.substr(process_end + 1), .process = process.value_or(0)};
  if (size == launch.size) return member;
  throw ConfigError(
      fmt::format("{} was started as one of {} ranks, rank {} as one of {}: WORLD_SIZE must be the "
                  "same for all",
                  name_of(rank, member), size.value_or(0), launch.rank, launch.size));
}

std::vector<std::int64_t> missing_ranks(c10d::Store& store, const Launch& launch) {
  std::vector<std::int64_t> missing;
  for (std::int64_t rank = 0; rank < launch.size; ++rank) {
    if (!store.check({key_of("member", rank)})) missing.push_back(rank);
  }
  return missing;
}

void throw_if_failed(c10d::Store& store) {
  if (const auto verdict = read_verdict(store); !verdict.text.empty())
    throw PeerError(verdict.text, verdict.code);
}

void wait_for_all(c10d::Store& store, const Launch& launch, std::chrono::seconds longest) {
  const auto begin = Clock::now();
  auto told = begin;
  while (true) {
    const auto missing = missing_ranks(store, launch);
    throw_if_failed(store);
    if (missing.empty()) return;
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
    std::this_thread::sleep_for(100ms);
  }
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

Meeting meet(const Launch& launch, std::chrono::seconds longest) {
  Meeting meeting;
  meeting.host = host_of(launch);
  meeting.port = static_cast<std::uint16_t>(launch.port);
  meeting.store = with_prefix(launch, open_store(launch, meeting.host, longest));
  auto& store = *meeting.store;
  try {
    if (store.add(key_of("started", launch.rank), 1) > 1) {
      const auto text = fmt::format(
          "two processes were started as rank {}; the second is process {} on {}: each needs a "
          "RANK of its own, and a port that no other run uses",
          launch.rank, ::getpid(), own_host());
      // Ranks that train already are not those of the one who comes late.
      if (!store.check({kBegun}))
        publish(store, {.code = static_cast<int>(ExitCode::kFailed), .text = text});
      throw Error(text);
    }
    store.set(key_of("member", launch.rank),
              fmt::format("{}\t{}\t{}", launch.size, ::getpid(), own_host()));
    wait_for_all(store, launch, longest);
    store.set(kBegun, std::string("1"));
    for (std::int64_t rank = 0; rank < launch.size; ++rank)
      meeting.members.push_back(read_member(store, launch, rank));
  } catch (const c10::Error& error) {
    throw Error(fmt::format("rank {}: the connection to rank 0 at {}:{} was lost: {}", launch.rank,
                            meeting.host, meeting.port, error.what_without_backtrace()));
  }
  return meeting;
}

Store connect_again(const Meeting& meeting, const Launch& launch, std::chrono::seconds longest) {
  return with_prefix(launch, c10::make_intrusive<c10d::TCPStore>(
                                 meeting.host, options_of(launch, /*serves=*/false, longest)));
}

}  // namespace raven::distributed
