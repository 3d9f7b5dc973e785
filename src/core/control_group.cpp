#include "raven/core/control_group.h"

#include <algorithm>
#include <vector>

#include "core/text_file.h"

namespace raven {
namespace {

constexpr std::uint64_t kNoLimitOfVersion1 = 1ULL << 60;  // it says 2^63 - 4096 for "none"

bool contains(const std::vector<std::string_view>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// Where a hierarchy lies and which group of it is the process's.
struct Hierarchy {
  std::string mount, root;  // folder; group that the folder shows
  std::string group;        // path of the process's group

  /// Folders from the process's group up to the mount.
  [[nodiscard]] std::vector<std::string> folders() const {
    auto below = group;
    if (root != "/" && below.rfind(root, 0) == 0) below.erase(0, root.size());
    if (below.find("..") != std::string::npos) below.clear();  // seen from another namespace
    std::vector<std::string> result;
    for (; below.size() > 1; below.erase(below.rfind('/'))) result.push_back(mount + below);
    result.push_back(mount);
    return result;
  }
};

/// The hierarchy of a controller of version 1, or that of version 2 when `controller` is empty.
std::optional<Hierarchy> find_hierarchy(std::string_view process_groups, std::string_view mounts,
                                        std::string_view controller) {
  Hierarchy found;
  for (const auto line : split(process_groups, '\n')) {  // "4:memory:/job", "0::/job"
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) continue;
    const auto names = line.substr(first + 1, second - first - 1);
    if (controller.empty() ? names.empty() : contains(split(names, ','), controller))
      found.group = line.substr(second + 1);
  }
  if (found.group.empty()) return std::nullopt;
  for (const auto line : split(mounts, '\n')) {
    const auto separator = line.find(" - ");
    if (separator == std::string_view::npos) continue;
    const auto before = split(line.substr(0, separator), ' '),
               after = split(line.substr(separator + 3), ' ');
    if (before.size() < 5 || after.size() < 3) continue;
    const bool fits = controller.empty()
                          ? after[0] == "cgroup2"
                          : after[0] == "cgroup" && contains(split(after[2], ','), controller);
    if (!fits) continue;
    found.root = before[3];
    found.mount = before[4];
    return found;
  }
  return std::nullopt;
}

template <class Value>
void keep_smaller(std::optional<Value>& limit, Value found) {
  limit = limit ? std::min(*limit, found) : found;
}

std::optional<std::uint64_t> number_in(const ReadText& read, const std::string& file) {
  const auto text = read(file);
  return text ? whole_number<std::uint64_t>(*text) : std::nullopt;
}

/// Memory in use that is not a file's content, which the system drops when it needs room.
std::optional<std::uint64_t> memory_used(const ReadText& read, const std::string& folder,
                                         const std::string& usage, std::string_view cached) {
  const auto used = number_in(read, folder + usage);
  if (!used) return std::nullopt;
  const auto statistics = read(folder + "/memory.stat").value_or("");
  for (const auto line : split(statistics, '\n')) {
    const auto words = split(line, ' ');
    if (words.size() == 2 && words[0] == cached)
      return *used - std::min(*used, whole_number<std::uint64_t>(words[1]).value_or(0));
  }
  return used;
}

void read_version_2(const Hierarchy& hierarchy, const ReadText& read, ControlGroup& group) {
  for (const auto& folder : hierarchy.folders()) {
    if (const auto limit = number_in(read, folder + "/memory.max")) {  // "max" is no number
      if (!group.memory_limit || *limit < *group.memory_limit)
        group.memory_used = memory_used(read, folder, "/memory.current", "inactive_file");
      keep_smaller(group.memory_limit, *limit);
    }
    const auto content = read(folder + "/cpu.max").value_or("");  // "200000 100000"
    const auto words = split(trimmed(content), ' ');
    if (words.size() != 2) continue;
    const auto quota = whole_number(words[0]), period = whole_number(words[1]);
    if (quota && period && *quota > 0 && *period > 0)
      keep_smaller(group.cpu_quota, static_cast<double>(*quota) / static_cast<double>(*period));
  }
}

void read_version_1(const std::optional<Hierarchy>& memory, const std::optional<Hierarchy>& cpu,
                    const ReadText& read, ControlGroup& group) {
  for (const auto& folder : memory ? memory->folders() : std::vector<std::string>()) {
    const auto limit = number_in(read, folder + "/memory.limit_in_bytes");
    if (!limit || *limit >= kNoLimitOfVersion1) continue;
    if (!group.memory_limit || *limit < *group.memory_limit)
      group.memory_used =
          memory_used(read, folder, "/memory.usage_in_bytes", "total_inactive_file");
    keep_smaller(group.memory_limit, *limit);
  }
  for (const auto& folder : cpu ? cpu->folders() : std::vector<std::string>()) {
    const auto quota = whole_number(read(folder + "/cpu.cfs_quota_us").value_or("")),
               period = whole_number(read(folder + "/cpu.cfs_period_us").value_or(""));
    if (quota && period && *quota > 0 && *period > 0)
      keep_smaller(group.cpu_quota, static_cast<double>(*quota) / static_cast<double>(*period));
  }
}

}  // namespace

ControlGroup parse_control_group(std::string_view process_groups, std::string_view mounts,
                                 const ReadText& read) {
  ControlGroup group;
  read_version_1(find_hierarchy(process_groups, mounts, "memory"),
                 find_hierarchy(process_groups, mounts, "cpu"), read, group);
  if (const auto second = find_hierarchy(process_groups, mounts, ""))
    read_version_2(*second, read, group);
  return group;
}

ControlGroup read_control_group() {
  return parse_control_group(read_text("/proc/self/cgroup").value_or(""),
                             read_text("/proc/self/mountinfo").value_or(""), read_text);
}

}  // namespace raven
