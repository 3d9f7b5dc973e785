#include "raven/core/control_group.h"

#include <gtest/gtest.h>

#include <map>

namespace raven {
namespace {

using Files = std::map<std::string, std::string>;

ReadText reader(const Files& files) {
  return [files](const std::string& file) -> std::optional<std::string> {
    const auto found = files.find(file);
    if (found == files.end()) return std::nullopt;
    return found->second;
  };
}

constexpr const char* kMountsOfVersion2 =
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";

TEST(ControlGroup, Version2TakesTheSmallestLimitUpToTheRoot) {
  const auto group = parse_control_group(
      "0::/jobs/7\n", kMountsOfVersion2,
      reader({{"/sys/fs/cgroup/jobs/7/memory.max", "max\n"},
              {"/sys/fs/cgroup/jobs/memory.max", "4294967296\n"},
              {"/sys/fs/cgroup/jobs/memory.current", "2147483648\n"},
              {"/sys/fs/cgroup/jobs/memory.stat", "anon 1\ninactive_file 1073741824\n"},
              {"/sys/fs/cgroup/memory.max", "8589934592\n"},
              {"/sys/fs/cgroup/jobs/7/cpu.max", "250000 100000\n"},
              {"/sys/fs/cgroup/jobs/cpu.max", "max 100000\n"}}));
  EXPECT_EQ(group.memory_limit, 4294967296U);
  EXPECT_EQ(group.memory_used, 1073741824U);
  EXPECT_EQ(group.cpu_quota, 2.5);
}

TEST(ControlGroup, AContainerSeesItsOwnGroupAsTheRoot) {
  const auto group = parse_control_group("0::/\n", kMountsOfVersion2,
                                         reader({{"/sys/fs/cgroup/memory.max", "1073741824\n"}}));
  EXPECT_EQ(group.memory_limit, 1073741824U);
  EXPECT_FALSE(group.memory_used);
  EXPECT_FALSE(group.cpu_quota);
}

TEST(ControlGroup, Version1HasAHierarchyForEachController) {
  const auto group = parse_control_group(
      "9:name=systemd:/\n4:memory:/docker/ab\n2:cpu,cpuacct:/docker/ab\n0::/\n",
      "35 31 0:32 /docker/ab /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
      "36 31 0:33 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n",
      reader({{"/sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n"},
              {"/sys/fs/cgroup/memory/memory.usage_in_bytes", "100\n"},
              {"/sys/fs/cgroup/cpu,cpuacct/docker/ab/cpu.cfs_quota_us", "50000\n"},
              {"/sys/fs/cgroup/cpu,cpuacct/docker/ab/cpu.cfs_period_us", "100000\n"}}));
  EXPECT_EQ(group.memory_limit, 536870912U);
  EXPECT_EQ(group.memory_used, 100U);
  EXPECT_EQ(group.cpu_quota, 0.5);
}

TEST(ControlGroup, Version1SaysNoLimitByAHugeOneOrMinusOne) {
  const auto group = parse_control_group(
      "4:memory:/\n2:cpu:/\n",
      "35 31 0:32 / /m rw - cgroup cgroup rw,memory\n36 31 0:33 / /c rw - cgroup cgroup rw,cpu\n",
      reader({{"/m/memory.limit_in_bytes", "9223372036854771712\n"},
              {"/c/cpu.cfs_quota_us", "-1\n"},
              {"/c/cpu.cfs_period_us", "100000\n"}}));
  EXPECT_FALSE(group.memory_limit);
  EXPECT_FALSE(group.cpu_quota);
}

TEST(ControlGroup, NonsenseIsNoLimit) {
  for (const std::string text :
       {"", ":", "::", "0::", "x\n\n0", " - cgroup2 a b\n", "0::/../a\n"}) {
    const auto group = parse_control_group(text, text, reader({}));
    EXPECT_FALSE(group.memory_limit) << text;
    EXPECT_FALSE(parse_control_group("0::/../a\n", kMountsOfVersion2, reader({})).memory_limit);
  }
}

}  // namespace
}  // namespace raven
