#include "raven/doctor/memory.h"

#include <spdlog/fmt/fmt.h>
#include <sys/resource.h>

#include <algorithm>
#include <string>

#include "core/text_file.h"

namespace raven::doctor {
namespace {

// The tiny models of the quickstart train in 2 GiB; its two runs side by side, and RAVEn Base on a
// CPU, want more.
constexpr std::uint64_t kLeastTotal = 2 * kGiB, kFineTotal = 8 * kGiB;
constexpr std::uint64_t kLeastAvailable = kGiB, kFineAvailable = 2 * kGiB;
constexpr std::uint64_t kLeastAddresses = 4 * kGiB;

Finding check_total(const Memory& memory) {
  const auto total = std::min(memory.total, memory.limit.value_or(memory.total));
  const bool limited = memory.limit && *memory.limit < memory.total;
  Finding finding{.id = "memory.total", .what = size_text(total)};
  if (limited)
    finding.what +=
        fmt::format(" by its control group, of the machine's {}", size_text(memory.total));
  if (total >= kFineTotal) return finding;
  const bool too_small = total < kLeastTotal;
  finding.level = too_small ? Level::kFailure : Level::kWarning;
  finding.means = too_small ? "even the smallest models do not fit; the system would kill the run"
                            : "enough for tiny models; RAVEn Base does not train in it";
  finding.remedy = limited ? "raise the memory limit of the container or job (docker run "
                             "--memory=16g, sbatch --mem=16G)"
                           : "take a machine with 8 GiB or more";
  return finding;
}

Finding check_available(const Memory& memory) {
  auto available = memory.available;
  if (memory.limit)
    available =
        std::min(available, *memory.limit - std::min(*memory.limit, memory.used.value_or(0)));
  Finding finding{.id = "memory.available", .what = size_text(available) + " free or easily freed"};
  if (available >= kFineAvailable) return finding;
  finding.level = available < kLeastAvailable ? Level::kFailure : Level::kWarning;
  finding.means = "the system would kill the run when memory is full";
  finding.remedy =
      "end other programs (ps aux --sort=-rss shows the largest), or take another machine";
  return finding;
}

Finding check_addresses(const Memory& memory, bool gpu) {
  if (!memory.address_space) return {.id = "memory.address_space", .what = "no limit"};
  Finding finding{.id = "memory.address_space",
                  .what = fmt::format("this process may have {} of addresses",
                                      size_text(*memory.address_space))};
  if (*memory.address_space >= kLeastAddresses && !gpu) return finding;
  finding.level = Level::kFailure;
  finding.means =
      gpu ? "CUDA reserves more addresses than there is memory: it would fail, out of memory"
          : "LibTorch and a model do not fit: a run would end with 'out of memory' while memory is "
            "free";
  finding.remedy =
      "ulimit -v unlimited; ulimit -d unlimited (a scheduler may set them: ask for more memory "
      "there)";
  return finding;
}

std::optional<std::uint64_t> soft_limit(decltype(RLIMIT_AS) resource) {
  struct rlimit limit {};
  if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
  return limit.rlim_cur;
}

}  // namespace

Memory parse_meminfo(std::string_view text) {
  Memory memory;
  for (const auto line : split(text, '\n')) {  // "MemTotal:       24683656 kB"
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    auto value = trimmed(line.substr(colon + 1));
    value = value.substr(0, value.find(' '));
    const auto bytes = whole_number<std::uint64_t>(value).value_or(0) << 10;
    if (line.substr(0, colon) == "MemTotal") memory.total = bytes;
    if (line.substr(0, colon) == "MemAvailable") memory.available = bytes;
  }
  return memory;
}

Memory read_memory(const ControlGroup& group) {
  auto memory = parse_meminfo(read_text("/proc/meminfo").value_or(""));
  memory.limit = group.memory_limit;
  memory.used = group.memory_used;
  memory.address_space = soft_limit(RLIMIT_AS);
  if (const auto data = soft_limit(RLIMIT_DATA))
    memory.address_space = std::min(*data, memory.address_space.value_or(*data));
  return memory;
}

std::uint64_t usable_memory() {
  const auto memory = read_memory(read_control_group());
  return memory.limit ? std::min(memory.total, *memory.limit) : memory.total;
}

Findings check_memory(const Memory& memory, bool gpu) {
  return {check_total(memory), check_available(memory), check_addresses(memory, gpu)};
}

}  // namespace raven::doctor
