#include "raven/distributed/launch.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <optional>

#include "core/text_file.h"
#include "raven/core/error.h"

namespace raven::distributed {
namespace {

constexpr std::int64_t kUsualPort = 29500;  // torch.distributed's
constexpr std::size_t kMostHosts = 65536;

const std::string* find(const Variables& variables, std::string_view name) {
  const auto found = variables.find(name);
  return found == variables.end() || found->second.empty() ? nullptr : &found->second;
}

/// A number that has to be there.
std::int64_t number(const Variables& variables, std::string_view name, std::int64_t least,
                    std::int64_t most) {
  const auto* text = find(variables, name);
  if (text == nullptr) {
    throw ConfigError(
        fmt::format("{} is not set, but other variables of the launcher are; unset "
                    "them for a single process, or set it",
                    name));
  }
  const auto value = whole_number(*text);
  if (!value || *value < least || *value > most) {
    throw ConfigError(
        fmt::format("{} is '{}', expected a whole number from {} to {}", name, *text, least, most));
  }
  return *value;
}

std::int64_t number_or(const Variables& variables, std::string_view name, std::int64_t other) {
  constexpr std::int64_t kMost = 1'000'000'000'000;
  return find(variables, name) == nullptr ? other : number(variables, name, 0, kMost);
}

/// Rank and size by the names that a launcher gives them.
Launch counted(const Variables& variables, std::string by, std::string_view rank,
               std::string_view size, std::string_view local_rank, std::string_view local_size) {
  constexpr std::int64_t kMost = 1'000'000;
  Launch launch{.by = std::move(by)};
  launch.size = number(variables, size, 1, kMost);
  launch.rank = number(variables, rank, 0, launch.size - 1);
  launch.local_rank = number_or(variables, local_rank, 0);
  if (find(variables, local_size) != nullptr)
    launch.local_size = number(variables, local_size, 1, launch.size);
  return launch;
}

void meet_at(Launch& launch, const Variables& variables, std::string host, std::int64_t port) {
  if (const auto* given = find(variables, "MASTER_ADDR")) host = *given;
  if (find(variables, "MASTER_PORT") != nullptr) port = number(variables, "MASTER_PORT", 1, 65535);
  if (launch.size == 1) return;
  launch.host = std::move(host);
  launch.port = port;
}

std::string first_host(const Variables& variables) {
  for (const auto* name : {"SLURM_STEP_NODELIST", "SLURM_NODELIST", "SLURM_JOB_NODELIST"}) {
    if (const auto* list = find(variables, name)) return expand_hosts(*list).front();
  }
  return "";
}

/// The same in all tasks of a step, another one in other steps of the job, and hardly ever that of
/// another job on the same host.
std::int64_t port_of_step(const Variables& variables) {
  constexpr std::int64_t kFirst = 15000, kRange = 15000, kApart = 101;
  const auto job = number_or(variables, "SLURM_JOB_ID", 0),
             step = number_or(variables, "SLURM_STEP_ID", 0);
  return kFirst + (job % kRange + step % kRange * kApart) % kRange;
}

/// Of "2(x3),1" the number for SLURM_NODEID.
std::optional<std::int64_t> tasks_of_node(const Variables& variables) {
  const auto* list = find(variables, "SLURM_STEP_TASKS_PER_NODE");
  if (list == nullptr) return std::nullopt;
  auto node = number_or(variables, "SLURM_NODEID", 0);
  for (std::string_view rest = *list; !rest.empty();) {
    const auto part = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    const auto times = part.find("(x");
    const auto tasks = whole_number(part.substr(0, times));
    std::optional<std::int64_t> nodes = 1;
    if (times != std::string_view::npos && part.ends_with(')'))
      nodes = whole_number(part.substr(times + 2, part.size() - times - 3));
    if (!tasks || *tasks < 1 || !nodes) return std::nullopt;
    if (node < *nodes) return tasks;
    node -= *nodes;
  }
  return std::nullopt;
}

[[noreturn]] void bad_list(std::string_view list) {
  throw ConfigError(
      fmt::format("'{}' is no list of hosts, expected one as n[1-2,07-09],gpu3", list));
}

/// "07-09" of a list -> 07, 08, 09.
void add_range(std::string_view range, std::string_view list, std::vector<std::string>& parts) {
  const auto dash = range.find('-');
  const auto from_text = range.substr(0, dash);
  const auto to_text = dash == std::string_view::npos ? from_text : range.substr(dash + 1);
  const auto from = whole_number(from_text), to = whole_number(to_text);
  const bool has_blanks = range.find_first_of(" \t\r\n") != std::string_view::npos;
  if (has_blanks || !from || !to || *from < 0 || *to < *from ||
      static_cast<std::size_t>(*to - *from) >= kMostHosts)
    bad_list(list);
  for (auto i = *from; i <= *to; ++i) parts.push_back(fmt::format("{:0{}}", i, from_text.size()));
}

/// The hosts of "rack[1-2]n[1-4]".
std::vector<std::string> hosts_of(std::string_view name, std::string_view list) {
  std::vector<std::string> hosts = {""};
  while (!name.empty()) {
    const auto open = std::min(name.find('['), name.size());
    for (auto& host : hosts) host += name.substr(0, open);
    if (open == name.size()) break;
    const auto close = name.find(']', open);
    if (close == std::string_view::npos) bad_list(list);
    std::vector<std::string> parts;
    auto ranges = name.substr(open + 1, close - open - 1);
    while (true) {
      const auto comma = ranges.find(',');
      add_range(ranges.substr(0, comma), list, parts);
      if (comma == std::string_view::npos) break;
      ranges.remove_prefix(comma + 1);
    }
    if (hosts.size() * parts.size() > kMostHosts) bad_list(list);
    std::vector<std::string> longer;
    for (const auto& host : hosts)
      for (const auto& part : parts) longer.push_back(host + part);
    hosts = std::move(longer);
    name.remove_prefix(close + 1);
  }
  return hosts;
}

}  // namespace

std::vector<std::string> expand_hosts(std::string_view list) {
  std::vector<std::string> all;
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t i = 0; i <= list.size(); ++i) {
    if (i < list.size() && list[i] == '[') ++depth;
    if (i < list.size() && list[i] == ']') --depth;
    if (depth < 0 || depth > 1) bad_list(list);
    if (i < list.size() && (list[i] != ',' || depth > 0)) continue;
    const auto name = list.substr(begin, i - begin);
    if (name.empty()) bad_list(list);
    for (auto& host : hosts_of(name, list)) all.push_back(std::move(host));
    if (all.size() > kMostHosts) bad_list(list);
    begin = i + 1;
  }
  return all;
}

Launch read_launch(const Variables& variables) {
  const auto is_set = [&](std::string_view name) { return find(variables, name) != nullptr; };
  if (is_set("RANK") || is_set("WORLD_SIZE")) {
    const auto* by = is_set(kRanksOf)                ? "raven"
                     : is_set("TORCHELASTIC_RUN_ID") ? "torchrun"
                                                     : "the launcher";
    if (!is_set("RANK") && number(variables, "WORLD_SIZE", 1, 1'000'000) == 1) return {};
    auto launch = counted(variables, by, "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE");
    meet_at(launch, variables, "", kUsualPort);
    const auto* store = find(variables, "TORCHELASTIC_USE_AGENT_STORE");
    launch.has_store = store != nullptr && *store == "True";
    return launch;
  }
  // In a job of Slurm, mpirun starts its helpers by srun, whose variables its ranks see as well.
  if (is_set("OMPI_COMM_WORLD_SIZE")) {
    auto launch = counted(variables, "mpirun", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE",
                          "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE");
    const bool one_host = number_or(variables, "OMPI_COMM_WORLD_LOCAL_SIZE", 0) == launch.size;
    meet_at(launch, variables, one_host ? "127.0.0.1" : "", kUsualPort);
    return launch;
  }
  if (is_set("SLURM_STEP_ID") && is_set("SLURM_STEP_NUM_TASKS")) {
    auto launch =
        counted(variables, "srun", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", "");
    meet_at(launch, variables, first_host(variables), port_of_step(variables));
    launch.local_size = tasks_of_node(variables).value_or(1);
    // Of the node that srun was called on, which in a batch script is the first one.
    const auto* address = find(variables, "SLURM_LAUNCH_NODE_IPADDR");
    if (launch.size > 1 && address != nullptr) launch.other_host = *address;
    return launch;
  }
  return {};
}

}  // namespace raven::distributed
