#include "raven/doctor/limits.h"

#include <spdlog/fmt/fmt.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace raven::doctor {
namespace {

constexpr const char* kSharedMemory = "/dev/shm";

Limit read_limit(decltype(RLIMIT_NOFILE) resource) {
  struct rlimit limit {};
  if (::getrlimit(resource, &limit) != 0) return {};
  const auto bound = [](rlim_t value) {
    return value == RLIM_INFINITY ? std::nullopt : std::optional<std::uint64_t>(value);
  };
  return {.soft = bound(limit.rlim_cur), .hard = bound(limit.rlim_max)};
}

/// "ulimit -n 4096", or whom to ask where the hard limit forbids it.
std::string raise(const Limit& limit, std::uint64_t wanted, const std::string& command,
                  const std::string& elsewhere) {
  if (!limit.hard || *limit.hard >= wanted) return command;
  return fmt::format("{} needs a higher hard limit first: {}", command, elsewhere);
}

Finding check_open_files(const Limits& limits) {
  constexpr std::uint64_t kLeast = 128, kFine = 1024, kWanted = 4096;
  const auto& limit = limits.open_files;
  Finding finding{
      .id = "limits.open_files",
      .what = limit.soft ? fmt::format("{} files may be open at once", *limit.soft) : "no limit"};
  if (!limit.soft || *limit.soft >= kFine) return finding;
  finding.level = *limit.soft < kLeast ? Level::kFailure : Level::kWarning;
  finding.means =
      "libraries, shards, logs and a GPU's device files are open together: a run ends with 'Too "
      "many open files'";
  finding.remedy = raise(limit, kWanted, "ulimit -n 4096",
                         "docker run --ulimit nofile=65536, LimitNOFILE= of the service, or nofile "
                         "in /etc/security/limits.conf");
  return finding;
}

Finding check_file_size(const Limits& limits) {
  constexpr std::uint64_t kLeast = 512 * kMiB, kFine = 8 * kGiB;
  const auto& limit = limits.file_size;
  Finding finding{
      .id = "limits.file_size",
      .what = limit.soft ? fmt::format("a file may have {}", size_text(*limit.soft)) : "no limit"};
  if (!limit.soft || *limit.soft >= kFine) return finding;
  finding.level = *limit.soft < kLeast ? Level::kFailure : Level::kWarning;
  finding.means =
      "shards have 512 MiB, checkpoints of large models several GiB: writing them fails with 'File "
      "too large'";
  finding.remedy = raise(limit, kFine, "ulimit -f unlimited", "fsize in /etc/security/limits.conf");
  return finding;
}

Finding check_processes(const Limits& limits) {
  constexpr std::uint64_t kFine = 512;
  const auto& limit = limits.processes;
  Finding finding{.id = "limits.processes",
                  .what = limit.soft
                              ? fmt::format("{} processes and threads of this user", *limit.soft)
                              : "no limit"};
  if (!limit.soft || *limit.soft >= kFine) return finding;
  finding.level = Level::kWarning;
  finding.means =
      "each loader worker and each core's thread counts: starting them may fail with 'Resource "
      "temporarily unavailable'";
  finding.remedy = raise(limit, kFine, "ulimit -u 4096", "nproc in /etc/security/limits.conf");
  return finding;
}

Finding check_locked_memory(const Limits& limits, const Demand& demand) {
  constexpr std::uint64_t kFine = 64 * kMiB;
  const auto& limit = limits.locked_memory;
  Finding finding{
      .id = "limits.locked_memory",
      .what = limit.soft ? size_text(*limit.soft) + " may be locked in memory" : "no limit"};
  if (!limit.soft || *limit.soft >= kFine || !(demand.gpu || demand.processes)) return finding;
  finding.level = Level::kWarning;
  finding.means =
      "network cards (InfiniBand, RoCE) and GPUs need memory that stays in place: NCCL may fail or "
      "fall back to slow copies";
  finding.remedy = raise(limit, kFine, "ulimit -l unlimited",
                         "docker run --ulimit memlock=-1, LimitMEMLOCK=infinity of the service "
                         "(slurmd), or memlock in "
                         "/etc/security/limits.conf");
  return finding;
}

Finding check_shared_memory(const Limits& limits, const Demand& demand) {
  constexpr std::uint64_t kFine = kGiB;
  Finding finding{.id = "limits.shared_memory"};
  if (!limits.shared_total) {
    finding.what = fmt::format("there is no {}", kSharedMemory);
  } else {
    finding.what = fmt::format("{} of {} free in {}{}", size_text(limits.shared_free.value_or(0)),
                               size_text(*limits.shared_total), kSharedMemory,
                               limits.shared_writable ? "" : ", which cannot be written");
  }
  if (!demand.processes) return finding;  // raven's loaders are threads: one process needs none
  if (limits.shared_writable && limits.shared_free.value_or(0) >= kFine) return finding;
  finding.level = Level::kWarning;
  finding.means =
      "processes on one machine exchange gradients through it: NCCL fails when it is full";
  finding.remedy =
      "docker run --shm-size=8g (Kubernetes: an emptyDir with medium Memory at /dev/shm), or mount "
      "-o remount,size=8g /dev/shm";
  return finding;
}

}  // namespace

Limits read_limits() {
  Limits limits{.open_files = read_limit(RLIMIT_NOFILE),
                .processes = read_limit(RLIMIT_NPROC),
                .file_size = read_limit(RLIMIT_FSIZE),
                .locked_memory = read_limit(RLIMIT_MEMLOCK),
                .shared_total = {},
                .shared_free = {},
                .shared_writable = ::access(kSharedMemory, W_OK) == 0};
  struct statvfs space {};
  if (::statvfs(kSharedMemory, &space) == 0) {
    limits.shared_total = space.f_blocks * space.f_frsize;
    limits.shared_free = space.f_bavail * space.f_frsize;
  }
  return limits;
}

Findings check_limits(const Limits& limits, const Demand& demand) {
  return {check_open_files(limits), check_file_size(limits), check_processes(limits),
          check_locked_memory(limits, demand), check_shared_memory(limits, demand)};
}

}  // namespace raven::doctor
