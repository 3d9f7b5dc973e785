#include "doctor/visible_devices.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "core/text_file.h"

namespace raven::doctor {
namespace {

/// Index of the GPU that an entry names; nothing when there is none.
std::optional<std::int64_t> gpu_named(const GpuDriver& driver, std::string_view entry) {
  const auto count = static_cast<std::int64_t>(driver.gpus.size());
  if (const auto index = whole_number(entry))
    return *index >= 0 && *index < count ? index : std::nullopt;
  if (entry.empty()) return std::nullopt;
  for (std::int64_t i = 0; i < count; ++i) {
    if (driver.gpus[static_cast<std::size_t>(i)].uuid.rfind(entry, 0) == 0) return i;
  }
  return std::nullopt;
}

}  // namespace

VisibleDevices parse_visible_devices(const GpuDriver& driver,
                                     const std::optional<std::string>& text) {
  const auto count = static_cast<std::int64_t>(driver.gpus.size());
  if (!text) return {.count = count, .problem = ""};
  if (trimmed(*text).empty()) return {.count = 0, .problem = "is empty, which hides every GPU"};
  std::set<std::int64_t> seen;
  for (const auto part : split(*text, ',')) {
    const auto entry = trimmed(part);
    if (entry.rfind("MIG-", 0) == 0) {  // a part of a GPU; the driver lists none of them here
      seen.insert(count + static_cast<std::int64_t>(seen.size()));
      continue;
    }
    const auto gpu = gpu_named(driver, entry);
    const auto remaining = static_cast<std::int64_t>(seen.size());
    if (!gpu) {
      return {.count = remaining,
              .problem = fmt::format("names '{}', but this machine has {}", entry,
                                     count == 0   ? "no GPU"
                                     : count == 1 ? "GPU 0 alone"
                                                  : fmt::format("GPUs 0 to {}", count - 1))};
    }
    if (!seen.insert(*gpu).second)
      return {.count = 0,
              .problem = fmt::format("names GPU {} twice, which hides every GPU", *gpu)};
  }
  return {.count = static_cast<std::int64_t>(seen.size()), .problem = ""};
}

}  // namespace raven::doctor
