#include "raven/doctor/ranks.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "core/text_file.h"
#include "raven/core/error.h"

namespace raven::doctor {
namespace {

using Json = nlohmann::json;
using Ranks = std::vector<RankFacts>;

/// "rank 1 (n2)", "ranks 0-3, 5 (n1), 6 (n2)".
std::string names_of(const std::vector<const RankFacts*>& ranks) {
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (std::size_t begin = 0; begin < ranks.size();) {
    std::size_t end = begin + 1;  // of those on one host
    while (end < ranks.size() && ranks[end]->host == ranks[begin]->host) ++end;
    std::vector<std::string> runs;
    for (auto first = begin; first < end;) {
      auto last = first;
      while (last + 1 < end && ranks[last + 1]->rank == ranks[last]->rank + 1) ++last;
      runs.push_back(first == last ? fmt::format("{}", ranks[first]->rank)
                                   : fmt::format("{}-{}", ranks[first]->rank, ranks[last]->rank));
      first = last + 1;
    }
    text +=
        fmt::format("{}{} ({})", begin == 0 ? "" : ", ", fmt::join(runs, ", "), ranks[begin]->host);
    begin = end;
  }
  return text;
}

std::string names_of(const Ranks& ranks) {
  std::vector<const RankFacts*> all;
  for (const auto& rank : ranks) all.push_back(&rank);
  return names_of(all);
}

/// "A of ranks 0-1 (n1), B of rank 2 (n2)" of what not all have alike; empty where they do.
template <class Value>
std::string differences(const Ranks& ranks, const Value& value) {
  std::map<std::string, std::vector<const RankFacts*>> by_value;
  for (const auto& rank : ranks) by_value[value(rank)].push_back(&rank);
  if (by_value.size() == 1) return "";
  std::vector<std::string> parts;
  for (const auto& [text, those] : by_value)
    parts.push_back(fmt::format("{} of {}", text.empty() ? "none" : text, names_of(those)));
  return fmt::format("{}", fmt::join(parts, "; "));
}

Finding check_meeting(const Ranks& ranks, double seconds) {
  std::set<std::string> machines;
  std::map<std::string, std::set<std::string>> machines_of;  // by the host's name
  for (const auto& rank : ranks) {
    machines.insert(rank.machine);
    machines_of[rank.host].insert(rank.machine);
  }
  Finding finding{.id = "ranks.meeting",
                  .what = fmt::format("{} ranks on {} host{} met within {:.1f} s: {}", ranks.size(),
                                      machines.size(), machines.size() == 1 ? "" : "s", seconds,
                                      names_of(ranks))};
  for (const auto& [host, those] : machines_of) {
    if (those.size() == 1) continue;
    finding.level = Level::kWarning;
    finding.means =
        fmt::format("{} hosts are called {}: messages about their ranks do not tell them apart",
                    those.size(), host);
    finding.remedy = "give each host (container, pod) a name of its own";
  }
  return finding;
}

Finding check_versions(const Ranks& ranks) {
  Finding finding{
      .id = "ranks.versions",
      .what = fmt::format("raven {}, LibTorch {}", ranks.front().raven, ranks.front().torch)};
  const auto differ = differences(ranks, [](const RankFacts& rank) {
    return fmt::format("raven {}, LibTorch {}", rank.raven, rank.torch);
  });
  if (differ.empty()) return finding;
  finding.level = Level::kFailure;
  finding.what = differ;
  finding.means = "ranks of other versions than rank 0's are refused as a run starts";
  finding.remedy = "install the same build on every host, or start it from a folder that all see";
  return finding;
}

Finding check_threads(const Ranks& ranks) {
  Finding finding{.id = "ranks.threads", .what = fmt::format("{} in each", ranks.front().threads)};
  const auto threads = differences(
      ranks, [](const RankFacts& rank) { return fmt::format("{} threads", rank.threads); });
  if (!threads.empty()) {
    finding.level = Level::kFailure;
    finding.what = threads;
    finding.means =
        "ranks with another number of threads than rank 0 are refused as a run starts: "
        "sums would be rounded otherwise";
    finding.remedy =
        fmt::format("threads={}, which every host has, or the same number of cores for each rank",
                    std::ranges::min_element(ranks, {}, &RankFacts::threads)->threads);
    return finding;
  }
  const auto vectors = differences(ranks, [](const RankFacts& rank) { return rank.vectors; });
  if (vectors.empty()) return finding;
  finding.level = Level::kWarning;
  finding.what = vectors;
  finding.means =
      "processors of several kinds: the slowest sets the pace, and a run that goes on "
      "elsewhere rounds otherwise";
  finding.remedy = "hosts of one kind (srun --constraint), or ATEN_CPU_CAPABILITY=avx2 for all";
  return finding;
}

Finding check_devices(const Ranks& ranks) {
  Finding finding{.id = "ranks.devices", .what = ranks.front().device + " for each"};
  std::map<std::string, std::vector<const RankFacts*>> users;
  for (const auto& rank : ranks) {
    if (!rank.gpu.empty())
      users[fmt::format("{}\n{}\n{}", rank.machine, rank.host, rank.gpu)].push_back(&rank);
  }
  for (const auto& [gpu, those] : users) {
    if (those.size() < 2) continue;
    finding.level = Level::kWarning;
    finding.what = fmt::format("{} have one GPU, {}", names_of(those), those.front()->device);
    finding.means = "they take turns on it and share its memory; NCCL refuses two ranks of one GPU";
    finding.remedy =
        "as many ranks on a host as it has GPUs, and let CUDA_VISIBLE_DEVICES show "
        "them all, or each rank another one";
    return finding;
  }
  const auto devices = differences(ranks, [](const RankFacts& rank) { return rank.device; });
  if (devices.empty()) return finding;
  finding.level = Level::kWarning;
  finding.what = devices;
  finding.means = "the slowest device sets the pace of all";
  finding.remedy =
      "device=cuda refuses a rank without a GPU; hosts of one kind (srun --constraint)";
  return finding;
}

std::string time_text(double seconds) {
  if (seconds < 1e-3) return fmt::format("{:.0f} us", seconds * 1e6);
  return seconds < 1 ? fmt::format("{:.1f} ms", seconds * 1e3) : fmt::format("{:.2f} s", seconds);
}

std::string rate_text(double bytes_per_s) { return fmt::format("{:.3g} GB/s", bytes_per_s / 1e9); }

Json finding_json(const Finding& finding) {
  return {{"id", finding.id},
          {"level", static_cast<int>(finding.level)},
          {"what", finding.what},
          {"means", finding.means},
          {"remedy", finding.remedy}};
}

Finding finding_of(const Json& json) {
  return {.id = json.at("id"),
          .level = static_cast<Level>(json.at("level").get<int>()),
          .what = json.at("what"),
          .means = json.at("means"),
          .remedy = json.at("remedy")};
}

}  // namespace

std::string rank_text(const RankFacts& facts) {
  Json findings = Json::array();
  for (const auto& finding : facts.findings) findings.push_back(finding_json(finding));
  const Json json = {{"rank", facts.rank},       {"host", facts.host},
                     {"machine", facts.machine}, {"raven", facts.raven},
                     {"torch", facts.torch},     {"threads", facts.threads},
                     {"vectors", facts.vectors}, {"device", facts.device},
                     {"gpu", facts.gpu},         {"findings", std::move(findings)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

RankFacts parse_rank(const std::string& text) {
  const auto json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  RAVEN_CHECK(json.is_object(), "a rank told '{}' of itself", text);
  RankFacts facts{.rank = json.at("rank"),
                  .host = json.at("host"),
                  .machine = json.at("machine"),
                  .raven = json.at("raven"),
                  .torch = json.at("torch"),
                  .threads = json.at("threads"),
                  .vectors = json.at("vectors"),
                  .device = json.at("device"),
                  .gpu = json.at("gpu")};
  for (const auto& finding : json.at("findings")) facts.findings.push_back(finding_of(finding));
  return facts;
}

std::string read_boot() {
  return std::string(trimmed(read_text("/proc/sys/kernel/random/boot_id").value_or("")));
}

Findings findings_of(const std::vector<RankFacts>& ranks) {
  struct Shared {
    Finding finding;
    std::vector<const RankFacts*> ranks;
  };
  std::vector<Shared> all;
  for (const auto& rank : ranks) {
    for (const auto& finding : rank.findings) {
      if (finding.level == Level::kOk) {
        if (rank.rank == 0) all.push_back({.finding = finding, .ranks = {}});
        continue;
      }
      const auto same = std::ranges::find_if(all, [&](const Shared& other) {
        return !other.ranks.empty() && other.finding.id == finding.id &&
               other.finding.level == finding.level && other.finding.what == finding.what &&
               other.finding.means == finding.means && other.finding.remedy == finding.remedy;
      });
      if (same != all.end()) {
        same->ranks.push_back(&rank);
      } else {
        all.push_back({.finding = finding, .ranks = {&rank}});
      }
    }
  }
  Findings findings;
  for (auto& [finding, those] : all) {
    if (those.size() == ranks.size()) {
      finding.what = "all ranks: " + finding.what;
    } else if (!those.empty()) {
      finding.what = fmt::format("{}: {}", names_of(those), finding.what);
    }
    findings.push_back(std::move(finding));
  }
  return findings;
}

Findings check_ranks(const std::vector<RankFacts>& ranks, double seconds) {
  return {check_meeting(ranks, seconds), check_versions(ranks), check_threads(ranks),
          check_devices(ranks)};
}

Findings check_links(const LinkSpeed& speed, const BaseStep& base) {
  constexpr double kSlowLatency = 2e-3, kSlowRate = 50e6;  // seconds; bytes a second
  Finding latency{
      .id = "ranks.latency",
      .what = fmt::format("a sum of 8 bytes takes {} (median; 95 % within {})",
                          time_text(speed.latency_median_s), time_text(speed.latency_p95_s))};
  if (speed.latency_median_s > kSlowLatency) {
    latency.level = Level::kWarning;
    latency.means = fmt::format(
        "BatchNorm over all ranks makes {} of them in each batch of RAVEn Base: {}, which nothing "
        "hides",
        base.batch_norm_sums,
        time_text(static_cast<double>(base.batch_norm_sums) * speed.latency_median_s));
    latency.remedy =
        "train.batch_norm=own; a faster network between the hosts, or cores that no "
        "other program uses";
  }
  std::vector<std::string> sums;
  for (const auto& sum : speed.sums) {
    sums.push_back(fmt::format("{} in {} ({})", size_text(static_cast<std::uint64_t>(sum.bytes)),
                               time_text(sum.seconds), rate_text(sum.bytes_per_s())));
  }
  const auto& largest = speed.sums.back();
  const double step = base.gradient_bytes / largest.bytes_per_s();
  // As a ring of so many would have it, which `raven plan` reckons with.
  const auto ranks = static_cast<double>(speed.ranks);
  const double gbit = 2 * (ranks - 1) / ranks * largest.bytes_per_s() * 8 / 1e9;
  const double latency_us = 1e6 * speed.latency_median_s / (1 + std::log2(ranks) / 4);
  Finding bandwidth{
      .id = "ranks.bandwidth",
      .what = fmt::format(
          "sums of {}; the gradients of a step of RAVEn Base ({}): {}; for raven plan: --link "
          "{:.3g} --link-latency {:.3g}",
          fmt::join(sums, ", "), size_text(static_cast<std::uint64_t>(base.gradient_bytes)),
          time_text(step), gbit, latency_us)};
  if (largest.bytes_per_s() < kSlowRate) {
    bandwidth.level = Level::kWarning;
    bandwidth.means = fmt::format(
        "what of {} a step the last backward does not hide, all ranks wait for", time_text(step));
    bandwidth.remedy =
        "more batches a step (train.accumulate), a faster network, GLOO_SOCKET_IFNAME=<its "
        "interface>; or several runs at once, one a host";
  }
  return {latency, bandwidth};
}

}  // namespace raven::doctor
