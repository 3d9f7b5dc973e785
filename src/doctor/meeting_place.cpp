#include "raven/doctor/meeting_place.h"

#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <spdlog/fmt/fmt.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "core/text_file.h"

namespace raven::doctor {
namespace {

const std::string* find(const Variables& variables, std::string_view name) {
  const auto found = variables.find(name);
  return found == variables.end() || found->second.empty() ? nullptr : &found->second;
}

std::optional<std::int64_t> number(const Variables& variables, std::string_view name) {
  const auto* text = find(variables, name);
  return text == nullptr ? std::nullopt : whole_number(*text);
}

std::vector<std::string> addresses_of(const std::string& host) {
  struct addrinfo hints {};
  hints.ai_socktype = SOCK_STREAM;
  struct addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return {};
  std::vector<std::string> addresses;
  for (auto* one = found; one != nullptr; one = one->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (::getnameinfo(one->ai_addr, one->ai_addrlen, text.data(), text.size(), nullptr, 0,
                      NI_NUMERICHOST) == 0)
      addresses.emplace_back(text.data());
  }
  ::freeaddrinfo(found);
  return addresses;
}

/// Nobody can connect meanwhile: the port is taken, but not listened at.
int try_port(std::int64_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return 0;
  const int yes = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  struct sockaddr_in address {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  const int code =
      ::bind(socket, reinterpret_cast<const struct sockaddr*>(&address), sizeof(address));
  const int problem = code == 0 ? 0 : errno;
  ::close(socket);
  return problem;
}

std::vector<std::string> read_interfaces() {
  std::vector<std::string> names;
  auto* all = ::if_nameindex();
  if (all == nullptr) return names;
  for (auto* one = all; one->if_index != 0; ++one) names.emplace_back(one->if_name);
  ::if_freenameindex(all);
  return names;
}

bool is_loopback(const std::string& address) {
  return address.starts_with("127.") || address == "::1";
}

Finding check_address(const MeetingPlace& place) {
  Finding finding{.id = "ranks.address", .level = Level::kFailure};
  if (place.host.empty()) {
    finding.what = "nothing says where the ranks meet";
    finding.means = "the ranks of several hosts cannot find each other";
    finding.remedy =
        "MASTER_ADDR=<address of the host of rank 0>, the same for all (mpirun -x "
        "MASTER_ADDR=...)";
    return finding;
  }
  if (place.addresses.empty()) {
    finding.what = fmt::format("{}, where the ranks meet, has no address here", place.host);
    finding.means = "this host's ranks cannot find rank 0";
    finding.remedy =
        "MASTER_ADDR=<address of the host of rank 0>, a number where names are not "
        "known; in Kubernetes the name of the pod's service";
    return finding;
  }
  finding.level = Level::kOk;
  finding.what = place.host == place.addresses.front()
                     ? place.host
                     : fmt::format("{} is {}", place.host, fmt::join(place.addresses, ", "));
  if (!std::ranges::all_of(place.addresses, is_loopback) || place.several_hosts == false)
    return finding;
  if (!place.several_hosts.value_or(false)) {
    finding.what += ", which this host alone can reach";
    return finding;
  }
  if (place.keeps_store) return finding;  // it finds itself so; the others' addresses tell its own
  finding.level = Level::kFailure;
  finding.what += ", but the ranks are on several hosts";
  finding.means = "it is this host's own: its ranks look for rank 0 here";
  finding.remedy = "MASTER_ADDR=<address of rank 0's host in the cluster's network>";
  return finding;
}

Finding check_port(const MeetingPlace& place) {
  Finding finding{.id = "ranks.port", .what = fmt::format("port {}", place.port)};
  if (place.port_error == 0) {
    if (place.keeps_store) finding.what += " is free";
    return finding;
  }
  finding.level = Level::kFailure;
  finding.what = fmt::format("port {} cannot be taken here: {}", place.port,
                             std::generic_category().message(place.port_error));
  finding.means = "rank 0 cannot listen there: no rank finds the others";
  finding.remedy =
      "another MASTER_PORT for all ranks, from 1024 on; `ss -ltnp` tells who uses this one: "
      "another run, or ranks of an earlier one that have not ended";
  return finding;
}

struct Named {
  const char* variable;
  const char* who;
  Level level;  // when there is no such interface
};

Findings check_interfaces(const MeetingPlace& place, const Variables& variables) {
  constexpr const char* kId = "ranks.interfaces";
  Findings findings;
  std::string named;
  for (const Named& one : {Named{"GLOO_SOCKET_IFNAME", "Gloo", Level::kFailure},
                           Named{"NCCL_SOCKET_IFNAME", "NCCL", Level::kWarning}}) {
    const auto* value = find(variables, one.variable);
    if (value == nullptr) continue;
    std::vector<std::string> meant;
    if (one.level == Level::kWarning) {
      meant = meant_interfaces(*value, place.interfaces);
    } else if (std::ranges::find(place.interfaces, *value) != place.interfaces.end()) {
      meant = {*value};
    }
    const auto what = fmt::format("{}={}", one.variable, *value);
    if (meant.empty()) {
      findings.push_back(
          {.id = kId,
           .level = one.level,
           .what = fmt::format("{}, but this host has {}", what, fmt::join(place.interfaces, ", ")),
           .means = fmt::format("{} finds no interface: the ranks of this host "
                                "cannot exchange anything",
                                one.who),
           .remedy = fmt::format("{} of this host's own interfaces, or unset: that "
                                 "towards rank 0 is taken then",
                                 one.variable)});
    } else if (place.several_hosts.value_or(false) && meant == std::vector<std::string>{"lo"}) {
      findings.push_back({.id = kId,
                          .level = one.level,
                          .what = fmt::format("{}, but the ranks are on several hosts", what),
                          .means = "the loopback interface reaches this host alone: the run hangs, "
                                   "then ends",
                          .remedy = fmt::format(
                              "unset {}, or an interface of the cluster's network", one.variable)});
    } else {
      named += fmt::format("{}{}", named.empty() ? "" : ", ", what);
    }
  }
  if (findings.empty())
    findings.push_back({.id = kId, .what = named.empty() ? "that towards rank 0 is taken" : named});
  return findings;
}

}  // namespace

std::optional<bool> on_several_hosts(const Variables& variables) {
  const auto differ = [&](const char* local, const char* all) -> std::optional<bool> {
    const auto here = number(variables, local), everywhere = number(variables, all);
    return here && everywhere ? std::optional(*here < *everywhere) : std::nullopt;
  };
  if (const auto told = differ("LOCAL_WORLD_SIZE", "WORLD_SIZE")) return told;
  if (find(variables, "WORLD_SIZE") != nullptr) return std::nullopt;
  if (const auto nodes = number(variables, "SLURM_STEP_NUM_NODES")) return *nodes > 1;
  return differ("OMPI_COMM_WORLD_LOCAL_SIZE", "OMPI_COMM_WORLD_SIZE");
}

MeetingPlace read_meeting_place(const std::string& host, std::int64_t port, bool keeps_store) {
  MeetingPlace place{.host = host, .port = port, .keeps_store = keeps_store};
  if (!host.empty()) place.addresses = addresses_of(host);
  if (keeps_store) place.port_error = try_port(port);
  place.interfaces = read_interfaces();
  return place;
}

std::vector<std::string> meant_interfaces(std::string_view value,
                                          const std::vector<std::string>& interfaces) {
  const bool all_but = value.starts_with('^');
  if (all_but) value.remove_prefix(1);
  const bool exact = value.starts_with('=');
  if (exact) value.remove_prefix(1);
  std::vector<std::string> meant;
  for (const auto& name : interfaces) {
    const auto parts = split(value, ',');
    const bool listed = std::ranges::any_of(parts, [&](std::string_view part) {
      return exact ? name == part : name.starts_with(part);
    });
    // NCCL takes the loopback interface only where it is named.
    const bool is_named = listed != all_but && (!all_but || name != "lo");
    if (is_named) meant.push_back(name);
  }
  return meant;
}

Findings check_meeting_place(const MeetingPlace& place, const Variables& variables) {
  Findings findings = {check_address(place), check_port(place)};
  for (auto& finding : check_interfaces(place, variables)) findings.push_back(std::move(finding));
  return findings;
}

}  // namespace raven::doctor
