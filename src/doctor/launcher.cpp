#include "raven/doctor/launcher.h"

#include <spdlog/fmt/fmt.h>

#include <optional>
#include <string_view>
#include <vector>

#include "core/text_file.h"

namespace raven::doctor {
namespace {

using Number = std::optional<std::int64_t>;

constexpr const char* kUnset =
    "unset RANK WORLD_SIZE LOCAL_RANK LOCAL_WORLD_SIZE MASTER_ADDR MASTER_PORT (one process "
    "alone), or start with torchrun "
    "--no-python, which sets them all";

const std::string* find(const Variables& variables, std::string_view name) {
  const auto found = variables.find(name);
  return found == variables.end() ? nullptr : &found->second;
}

Number number(const Variables& variables, std::string_view name) {
  const auto* text = find(variables, name);
  return text == nullptr ? std::nullopt : whole_number(*text);
}

/// "RANK=3 WORLD_SIZE=2" of those that are set.
std::string listed(const Variables& variables, const std::vector<std::string_view>& names) {
  std::string text;
  for (const auto name : names) {
    if (const auto* value = find(variables, name))
      text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, *value);
  }
  return text;
}

Finding failure(const char* id, std::string what, const char* means, std::string remedy) {
  return {.id = id,
          .level = Level::kFailure,
          .what = std::move(what),
          .means = means,
          .remedy = std::move(remedy)};
}

/// RANK and WORLD_SIZE go together, and the one is below the other.
Finding check_rank(const Variables& variables, const char* id, const char* rank_name,
                   const char* size_name) {
  const auto *rank_text = find(variables, rank_name), *size_text = find(variables, size_name);
  const auto both = listed(variables, {rank_name, size_name});
  if (rank_text == nullptr && size_text == nullptr) {
    const auto others =
        listed(variables, {"SLURM_STEP_NUM_TASKS", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"});
    return {.id = id,
            .what = fmt::format("no {}{}", rank_name,
                                others.empty() ? ": one process alone" : ", but " + others)};
  }
  if (rank_text == nullptr || size_text == nullptr) {
    return failure(id,
                   fmt::format("{}, but no {}", both, rank_text == nullptr ? rank_name : size_name),
                   "a process that knows only one of the two waits for others that never come, or "
                   "refuses to start",
                   kUnset);
  }
  const auto rank = number(variables, rank_name), size = number(variables, size_name);
  if (!rank || !size || *rank < 0 || *size < 1) {
    return failure(id,
                   fmt::format("{}: expected whole numbers, {} from 0 and {} from 1", both,
                               rank_name, size_name),
                   "the processes of a run cannot find each other", kUnset);
  }
  if (*rank >= *size) {
    return failure(id, fmt::format("{}: ranks go from 0 to {}", both, *size - 1),
                   "the others never meet this process: the run hangs, then ends",
                   fmt::format("set {} to a number below {}, different in each process; torchrun "
                               "--no-python and srun count them",
                               rank_name, *size));
  }
  return {.id = id, .what = both};
}

Finding check_rendezvous(const Variables& variables) {
  constexpr const char* kId = "launcher.rendezvous";
  const auto set = listed(variables, {"MASTER_ADDR", "MASTER_PORT"});
  if (const auto* text = find(variables, "MASTER_PORT")) {
    const auto port = whole_number(*text);
    if (!port || *port < 1 || *port > 65535) {
      return failure(kId, fmt::format("MASTER_PORT is '{}', expected 1 to 65535", *text),
                     "the processes of a run cannot find each other",
                     "export MASTER_PORT=29500, the same in every process");
    }
  }
  if (world_size(variables) == 1) return {.id = kId, .what = set.empty() ? "not needed" : set};
  for (const auto* name : {"MASTER_ADDR", "MASTER_PORT"}) {
    const auto* value = find(variables, name);
    if (value != nullptr && !trimmed(*value).empty()) continue;
    return failure(kId,
                   fmt::format("WORLD_SIZE is {}, but {} is {}", world_size(variables), name,
                               value == nullptr ? "not set" : "empty"),
                   "the processes of a run cannot find each other",
                   "export MASTER_ADDR=<host of rank 0> MASTER_PORT=29500, the same in every "
                   "process; torchrun --no-python does");
  }
  return {.id = kId, .what = set};
}

Finding check_local_rank(const Variables& variables, std::int64_t gpus) {
  auto finding = check_rank(variables, "launcher.local_rank", "LOCAL_RANK", "LOCAL_WORLD_SIZE");
  const auto rank = number(variables, "LOCAL_RANK");
  if (finding.level == Level::kFailure && find(variables, "LOCAL_WORLD_SIZE") == nullptr && rank &&
      *rank >= 0)
    finding = {.id = "launcher.local_rank",
               .what = listed(variables, {"LOCAL_RANK"})};  // the size is not needed
  if (finding.level == Level::kOk && rank && gpus > 0 && *rank >= gpus) {
    return failure(
        "launcher.local_rank",
        fmt::format("LOCAL_RANK is {}, but this process sees {} GPU{}", *rank, gpus,
                    gpus == 1 ? "" : "s"),
        "it has no GPU of its own",
        "start as many processes on a machine as it has GPUs (torchrun --nproc-per-node, srun "
        "--ntasks-per-node), and let CUDA_VISIBLE_DEVICES show them all");
  }
  return finding;
}

Finding check_slurm(const Variables& variables) {
  constexpr const char* kId = "launcher.slurm";
  const auto* job = find(variables, "SLURM_JOB_ID");
  if (job == nullptr && find(variables, "SLURM_NTASKS") == nullptr)
    return {.id = kId, .what = "no SLURM job"};
  const auto what = listed(variables, {"SLURM_JOB_ID", "SLURM_NNODES", "SLURM_NTASKS",
                                       "SLURM_PROCID", "WORLD_SIZE", "RANK"});
  const auto tasks = number(variables, "SLURM_NTASKS"), nodes = number(variables, "SLURM_NNODES"),
             task = number(variables, "SLURM_PROCID"), world = number(variables, "WORLD_SIZE"),
             rank = number(variables, "RANK");
  Finding finding{.id = kId, .level = Level::kWarning, .what = what};
  if (find(variables, "TORCHELASTIC_RUN_ID") !=
      nullptr) {  // torchrun starts several processes in each task
    if (!world || !nodes || *nodes < 1 || *world % *nodes == 0) return {.id = kId, .what = what};
    finding.means =
        "torchrun starts the same number of processes on each node: some node has none or not all "
        "of them";
    finding.remedy =
        "give torchrun --nnodes=$SLURM_NNODES and --nproc-per-node=<GPUs of a node>, in one task a "
        "node (--ntasks-per-node=1)";
    return finding;
  }
  if (tasks && world && *tasks != *world) {
    finding.means = fmt::format(
        "SLURM starts {} tasks, the variables speak of {} processes: they wait for each other in "
        "vain",
        *tasks, *world);
    finding.remedy =
        "export WORLD_SIZE=$SLURM_NTASKS before srun, and RANK=$SLURM_PROCID in each task";
  } else if (task && rank && *task != *rank && world && *world > 1) {
    finding.means =
        "this task calls itself by another number than SLURM: two tasks may have the same RANK";
    finding.remedy = "export RANK=$SLURM_PROCID in each task, not before srun";
  } else if (tasks && *tasks > 1 && !world && find(variables, "SLURM_STEP_NUM_TASKS") == nullptr) {
    finding.means = fmt::format("the script of the job is one process, not {}", *tasks);
    finding.remedy = "srun raven ... starts a rank in each task; --ntasks=1 for one process";
  } else {
    finding.level = Level::kOk;
  }
  return finding;
}

}  // namespace

std::int64_t world_size(const Variables& variables) {
  const auto size = number(variables, "WORLD_SIZE");
  return size && *size > 1 ? *size : 1;
}

Findings check_launcher(const Variables& variables, std::int64_t gpus) {
  return {check_rank(variables, "launcher.rank", "RANK", "WORLD_SIZE"), check_rendezvous(variables),
          check_local_rank(variables, gpus), check_slurm(variables)};
}

}  // namespace raven::doctor
