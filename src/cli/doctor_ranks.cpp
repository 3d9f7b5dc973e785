#include "cli/doctor_ranks.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <spdlog/fmt/fmt.h>
#include <torch/torch.h>
#include <torch/version.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "cli/cuda_library.h"
#include "cli/print.h"
#include "raven/core/build_commit.h"
#include "raven/core/control_group.h"
#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/core/variables.h"
#include "raven/distributed/launch.h"
#include "raven/distributed/link_speed.h"
#include "raven/distributed/local_ranks.h"
#include "raven/distributed/process_ranks.h"
#include "raven/distributed/thread_share.h"
#include "raven/doctor/gpu.h"
#include "raven/doctor/launcher.h"
#include "raven/doctor/limits.h"
#include "raven/doctor/meeting_place.h"
#include "raven/doctor/memory.h"
#include "raven/doctor/rank_variables.h"
#include "raven/doctor/ranks.h"
#include "raven/nn/device.h"
#include "raven/plan/networks.h"
#include "raven/plan/ranks.h"

namespace raven::cli {
namespace {

using doctor::Finding;
using doctor::Findings;
using doctor::RankFacts;

constexpr std::int64_t kUsualRanks = 2;  // that are started where nobody says how many

std::optional<std::string> value_of(const Variables& variables, const char* name) {
  const auto found = variables.find(name);
  return found == variables.end() ? std::nullopt : std::optional(found->second);
}

void add(Findings& findings, Findings more) {
  std::move(more.begin(), more.end(), std::back_inserter(findings));
}

std::string host_name() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return host.data();
}

doctor::MeetingPlace place_of(const distributed::Launch& launch, const Variables& variables) {
  const bool keeps_store = launch.rank == 0 && !launch.has_store;
  auto place = doctor::read_meeting_place(launch.host, launch.port, keeps_store);
  if (place.addresses.empty() && !launch.other_host.empty())
    place = doctor::read_meeting_place(launch.other_host, launch.port, keeps_store);
  place.several_hosts = doctor::on_several_hosts(variables);
  return place;
}

/// What a rank finds before it speaks to others.
struct OwnFindings {
  RankFacts facts;
  torch::Device device = torch::kCPU;
  Findings in_the_way;  // of those, what makes a meeting hopeless
};

OwnFindings examine_self(const RanksAsked& asked, const distributed::Launch& launch,
                         const Variables& variables) {
  OwnFindings own;
  auto& facts = own.facts;
  facts.rank = launch.rank;
  facts.host = host_name();
  facts.machine = doctor::read_boot();
  facts.raven = fmt::format("{} {}", RAVEN_VERSION, build_commit());
  facts.torch = TORCH_VERSION;
  const auto group = read_control_group();

  doctor::CudaUse cuda{.wanted = asked.device,
                       .visible_devices = value_of(variables, "CUDA_VISIBLE_DEVICES")};
  doctor::GpuDriver driver;
  if (asked.device != config::Device::kCpu) {
    driver = doctor::read_gpu_driver();
    const auto& libraries = try_cuda_libraries();
    cuda.library_problem = libraries.problem;
    cuda.kernels_problem = libraries.kernels_problem;
    cuda.nccl = doctor::loaded_nccl();
    if (cuda.library_problem.empty())
      own.device = nn::choose_device(asked.device, "", launch.local_rank);
  }
  facts.device = nn::device_name(own.device);
  if (own.device.is_cuda()) {
    std::vector<std::string> seen;
    for (const auto& gpu : driver.gpus) seen.push_back(gpu.uuid);
    facts.gpu = fmt::format("{} of {} of {}", own.device.str(),
                            cuda.visible_devices.value_or("all"), fmt::join(seen, ","));
  }
  facts.vectors = at::get_cpu_capability();

  const bool gpu = own.device.is_cuda();
  add(facts.findings, doctor::check_memory(doctor::read_memory(group), gpu));
  add(facts.findings,
      doctor::check_limits(doctor::read_limits(), {.gpu = gpu, .processes = launch.size > 1}));
  add(facts.findings, doctor::check_gpu(driver, cuda, launch.size));
  add(facts.findings, doctor::check_launcher(
                          variables, gpu ? doctor::num_visible(driver, cuda.visible_devices) : 0));
  add(facts.findings,
      doctor::check_rank_variables(variables, {.gpu = asked.device != config::Device::kCpu,
                                               .local_ranks = launch.local_size,
                                               .infiniband = doctor::read_infiniband()}));
  auto meeting = doctor::check_meeting_place(place_of(launch, variables), variables);
  for (const auto& finding : meeting) {
    if (finding.level == doctor::Level::kFailure) own.in_the_way.push_back(finding);
  }
  add(facts.findings, std::move(meeting));
  return own;
}

Finding no_meeting(const std::string& what, const std::string& remedy) {
  return {.id = "ranks.meeting",
          .level = doctor::Level::kFailure,
          .what = what,
          .means = "a run of these ranks ends so, too",
          .remedy = remedy};
}

/// Without the others: rank 0 prints what it has found, the others log what is wrong.
ExitCode end_alone(const RanksAsked& asked, const RankFacts& facts, const Finding& meeting) {
  auto findings = facts.findings;
  findings.push_back(meeting);
  if (facts.rank == 0) {
    print(asked.json ? doctor::to_json(findings, RAVEN_VERSION) : doctor::to_text(findings));
    return ExitCode::kFailed;
  }
  for (const auto& finding : findings) {
    if (finding.level == doctor::Level::kOk) continue;
    log::warn("rank {} ({}): {}: {}; mend: {}", facts.rank, facts.host, finding.id, finding.what,
              finding.remedy);
  }
  return ExitCode::kFailed;
}

/// Small sums, then larger ones as long as one takes no more than some seconds.
doctor::LinkSpeed measure(distributed::Communicator& ranks, const torch::Device& device) {
  using distributed::quantile;
  constexpr std::int64_t kMiB = 1 << 20;
  constexpr double kLongest = 10;  // seconds that a sum may be expected to take
  const auto small =
      distributed::time_sums(ranks, {.bytes = 8, .most = 200, .enough_s = 5}, device);
  doctor::LinkSpeed speed{.ranks = ranks.size(),
                          .latency_median_s = quantile(small, 0.5),
                          .latency_p95_s = quantile(small, 0.95)};
  for (const std::int64_t size : {kMiB, 16 * kMiB, 64 * kMiB}) {
    const double expected =
        speed.sums.empty() ? 0 : static_cast<double>(size) / speed.sums.back().bytes_per_s();
    if (expected > kLongest) break;  // the same on all ranks: the times are rank 0's
    const auto times =
        distributed::time_sums(ranks, {.bytes = size, .most = 20, .enough_s = 2}, device);
    speed.sums.push_back({.bytes = size, .seconds = quantile(times, 0.5)});
  }
  return speed;
}

doctor::BaseStep base_step() {
  const auto networks = plan::networks_of(config::PretrainConfig{}, /*num_units=*/0, {}, {});
  const auto exchange = plan::exchange_of(networks, config::BatchStatistics::kAll);
  return {.gradient_bytes = exchange.gradient_bytes, .batch_norm_sums = exchange.batch_norm_sums};
}

std::string json_text(const Findings& findings, std::size_t size, const doctor::LinkSpeed& speed) {
  auto json = nlohmann::ordered_json::parse(doctor::to_json(findings, RAVEN_VERSION));
  auto sums = nlohmann::ordered_json::array();
  for (const auto& sum : speed.sums) {
    sums.push_back(
        {{"bytes", sum.bytes}, {"seconds", sum.seconds}, {"bytes_per_s", sum.bytes_per_s()}});
  }
  json["ranks"] = size;
  json["latency_s"] = {{"median", speed.latency_median_s}, {"p95", speed.latency_p95_s}};
  json["sums"] = std::move(sums);
  return json.dump(2) + "\n";
}

ExitCode examine_together(const RanksAsked& asked, OwnFindings own,
                          distributed::Communicator& ranks, double seconds) {
  nn::set_threads(distributed::agree_on_threads(ranks, asked.threads));
  own.facts.threads = at::get_num_threads();
  std::vector<RankFacts> all;
  for (const auto& text : distributed::texts_of_all(ranks, doctor::rank_text(own.facts)))
    all.push_back(doctor::parse_rank(text));
  const auto speed = measure(ranks, own.device);
  auto findings = doctor::findings_of(all);
  add(findings, doctor::check_ranks(all, seconds));
  add(findings, doctor::check_links(speed, base_step()));
  if (ranks.rank() == 0) {
    print(asked.json ? json_text(findings, all.size(), speed) : doctor::to_text(findings));
  }
  return doctor::can_run(findings) ? ExitCode::kDone : ExitCode::kFailed;
}

ExitCode be_a_rank(const RanksAsked& asked, const distributed::Launch& launch,
                   const Variables& variables) {
  distributed::end_with_parent();
  const auto own = examine_self(asked, launch, variables);
  if (!own.in_the_way.empty()) {
    const auto& first = own.in_the_way.front();
    return end_alone(asked, own.facts,
                     no_meeting(fmt::format("not tried: {}", first.what), first.remedy));
  }
  std::unique_ptr<distributed::Communicator> ranks;
  const auto begin = std::chrono::steady_clock::now();
  try {
    ranks = distributed::join(launch, {.join = std::chrono::seconds(asked.wait_s)});
  } catch (const Error& error) {
    return end_alone(
        asked, own.facts,
        no_meeting(
            error.what(),
            "start all ranks with the same MASTER_ADDR, MASTER_PORT and WORLD_SIZE, each "
            "with a RANK of its own; open that port and those above 1024 between the hosts"));
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  ranks->note(0, "measuring links");
  try {
    return examine_together(asked, own, *ranks, seconds.count());
  } catch (const PeerError& error) {
    ranks->tell_failure(error);
    return end_alone(asked, own.facts,
                     no_meeting(error.what(),
                                "see what that rank, and the system's log of its "
                                "host, say; then try again"));
  } catch (const std::exception& error) {
    ranks->tell_failure(error);
    throw;
  }
}

}  // namespace

ExitCode examine_ranks(const RanksAsked& asked) {
  const auto variables = read_variables();
  distributed::Launch launch;
  try {
    launch = distributed::read_launch(variables);
  } catch (const ConfigError& error) {
    RankFacts facts{.host = host_name(), .findings = doctor::check_launcher(variables, 0)};
    return end_alone(asked, facts,
                     no_meeting(error.what(),
                                "give every rank what its launcher sets, or unset "
                                "all of it to have ranks started here"));
  }
  if (launch.size > 1) {
    if (asked.ranks > 0 && asked.ranks != launch.size) {
      throw ConfigError(fmt::format("ranks={}, but {} started {} processes; leave ranks at 0",
                                    asked.ranks, launch.by, launch.size));
    }
    log::start_rank(static_cast<int>(launch.rank));
    return be_a_rank(asked, launch, variables);
  }
  if (!launch.by.empty() && asked.ranks == 0) {
    throw ConfigError(fmt::format(
        "{} started one process, which has nobody to talk to: have it start several, or give "
        "ranks=2 for two of this machine",
        launch.by));
  }
  const auto count = asked.ranks > 0 ? asked.ranks : kUsualRanks;
  if (count == 1)
    throw ConfigError("ranks=1 has nobody to talk to; 2 at least, or leave ranks at 0");
  const auto stop = watch_signals();
  return static_cast<ExitCode>(
      distributed::run_local_ranks("/proc/self/exe", asked.command, count, stop));
}

}  // namespace raven::cli
