#include "raven/doctor/rank_variables.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

#include "core/text_file.h"

namespace raven::doctor {
namespace {

using Value = std::string_view;

/// A switch of NCCL or c10d.
bool is_on(Value value) {
  constexpr std::array<Value, 6> kOff = {"", "0", "n", "no", "f", "false"};
  return std::ranges::find(kOff, value) == kOff.end();
}

bool is_set(Value value) { return !value.empty(); }

enum class Of { kNccl, kCuda, kThreads };

struct Rule {
  std::vector<const char*> names;  // the present one, then older ones that are still read
  Of of;
  bool (*harms)(Value);
  const char* means;
};

const std::vector<Rule>& rules() {
  static const std::vector<Rule> all = {
      {{"NCCL_P2P_DISABLE"},
       Of::kNccl,
       is_on,
       "GPUs of a host exchange through its memory instead of NVLink or PCIe, several times "
       "slower; it is there to find faults"},
      {{"NCCL_P2P_LEVEL"},
       Of::kNccl,
       [](Value value) { return value == "LOC" || value == "0"; },
       "GPUs of a host exchange through its memory instead of NVLink or PCIe, several times "
       "slower"},
      {{"NCCL_SHM_DISABLE"},
       Of::kNccl,
       is_on,
       "GPUs of a host that cannot reach each other exchange through the network instead of "
       "memory"},
      {{"NCCL_ALGO", "NCCL_PROTO"},
       Of::kNccl,
       is_set,
       "NCCL's own choice, by size and by how the GPUs are connected, is overruled; NCCL advises "
       "against it, since a protocol that the machine lacks can damage data"},
      {{"NCCL_LAUNCH_MODE"},
       Of::kNccl,
       [](Value value) { return value == "GROUP"; },
       "that is for processes of several GPUs, of which each rank of raven has one, and deprecated "
       "since NCCL 2.9"},
      {{"TORCH_NCCL_ASYNC_ERROR_HANDLING", "NCCL_ASYNC_ERROR_HANDLING"},
       Of::kNccl,
       [](Value value) { return value == "0" || value == "2"; },
       "a process whose exchange has failed does not end by itself: the others hang"},
      {{"TORCH_NCCL_BLOCKING_WAIT", "NCCL_BLOCKING_WAIT"},
       Of::kNccl,
       is_on,
       "each rank stands still until a sum is there, which hides nothing behind backward; with "
       "CUDA_LAUNCH_BLOCKING some versions of NCCL hang"},
      {{"TORCH_NCCL_ENABLE_MONITORING"},
       Of::kNccl,
       [](Value value) { return is_set(value) && !is_on(value); },
       "nothing ends a process that hangs within CUDA or NCCL"},
      {{"TORCH_NCCL_DESYNC_DEBUG", "NCCL_DESYNC_DEBUG"},
       Of::kNccl,
       is_on,
       "every call is noted in the store for a search of faults"},
      {{"TORCH_NCCL_NAN_CHECK"},
       Of::kNccl,
       is_on,
       "every tensor is looked through for NaN before it is sent"},
      {{"CUDA_LAUNCH_BLOCKING"},
       Of::kCuda,
       is_on,
       "the host waits for each kernel: far slower, and some versions of NCCL hang with it; it is "
       "there to find faults"},
      {{"OMP_PROC_BIND"},
       Of::kThreads,
       [](Value value) { return is_set(value) && value != "false" && value != "FALSE"; },
       "the ranks of a host may bind their threads to the same cores and share them, while others "
       "idle"},
      {{"GOMP_CPU_AFFINITY", "KMP_AFFINITY"},
       Of::kThreads,
       [](Value value) { return is_set(value) && value != "none" && value != "disabled"; },
       "the ranks of a host bind their threads to the same cores and share them, while others "
       "idle"},
  };
  return all;
}

/// NCCL's and c10d's variables mean nothing to Gloo, by which raven's ranks talk.
constexpr const char* kAsYet = " (raven's ranks talk by Gloo as yet, which takes no notice)";

Finding harmful(const Rule& rule, const char* name, const std::string& value) {
  return {.id = "ranks.variables",
          .level = Level::kWarning,
          .what = fmt::format("{}={}", name, value),
          .means = fmt::format("{}{}", rule.means, rule.of == Of::kNccl ? kAsYet : ""),
          .remedy = fmt::format("unset {}, on every host", name)};
}

bool concerns(const Rule& rule, const RankUse& use) {
  return rule.of == Of::kThreads ? use.local_ranks > 1 : use.gpu;
}

}  // namespace

std::vector<std::string> read_infiniband() {
  std::vector<std::string> names;
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/class/infiniband", missing))
    names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

Findings check_rank_variables(const Variables& variables, const RankUse& use) {
  Findings findings;
  for (const auto& rule : rules()) {
    if (!concerns(rule, use)) continue;
    for (const auto* name : rule.names) {
      const auto found = variables.find(name);
      if (found != variables.end() && rule.harms(trimmed(found->second)))
        findings.push_back(harmful(rule, name, found->second));
    }
  }
  const auto no_adapters = variables.find("NCCL_IB_DISABLE");
  if (use.gpu && !use.infiniband.empty() && no_adapters != variables.end() &&
      is_on(trimmed(no_adapters->second))) {
    auto finding = harmful({.names = {}, .of = Of::kNccl, .harms = is_on, .means = ""},
                           "NCCL_IB_DISABLE", no_adapters->second);
    finding.means = fmt::format(
        "this host has InfiniBand or RoCE ({}), but hosts exchange by IP sockets, which are "
        "slower{}",
        fmt::join(use.infiniband, ", "), kAsYet);
    findings.push_back(std::move(finding));
  }
  if (!findings.empty()) return findings;
  return {{.id = "ranks.variables",
           .what = use.gpu ? "none by which NCCL, CUDA or OpenMP hang or wait"
                           : "none by which OpenMP's threads share cores"}};
}

}  // namespace raven::doctor
