#include "raven/doctor/memory.h"

#include <gmock/gmock.h>

#include "doctor/find.h"

namespace raven::doctor {
namespace {

using testing::HasSubstr;

const Memory kSound = {
    .total = 32 * kGiB, .available = 20 * kGiB, .limit = {}, .used = {}, .address_space = {}};

TEST(Memory, IsReadFromTheSystem) {
  const auto memory = parse_meminfo(
      "MemTotal:       24683656 kB\nMemFree:         100 kB\nMemAvailable:    2048 "
      "kB\nHugePages_Total:       0\n");
  EXPECT_EQ(memory.total, 24683656ULL << 10);
  EXPECT_EQ(memory.available, 2ULL << 20);
  EXPECT_EQ(parse_meminfo("MemTotal").total, 0U);
}

TEST(Memory, EnoughIsEnough) {
  EXPECT_TRUE(can_run(check_memory(kSound, /*gpu=*/true)));
  EXPECT_EQ(count(check_memory(kSound, true), Level::kOk), 3);
}

TEST(Memory, SmallMachinesAndGroups) {
  auto memory = kSound;
  memory.total = 4 * kGiB;
  EXPECT_EQ(level(check_memory(memory, false), "memory.total"), Level::kWarning);
  memory = kSound;
  memory.limit = kGiB;
  const auto findings = check_memory(memory, false);
  EXPECT_EQ(level(findings, "memory.total"), Level::kFailure);
  EXPECT_THAT(find(findings, "memory.total").remedy, HasSubstr("docker run --memory"));
  expect_explained(findings);
}

TEST(Memory, WhatOthersUse) {
  auto memory = kSound;
  memory.available = 512 * kMiB;
  EXPECT_EQ(level(check_memory(memory, false), "memory.available"), Level::kFailure);
  memory = kSound;
  memory.limit = 16 * kGiB;
  memory.used = 15 * kGiB - kMiB;
  EXPECT_EQ(level(check_memory(memory, false), "memory.available"), Level::kWarning);
  memory.used = 20 * kGiB;  // a group may stand above its limit for a moment
  EXPECT_EQ(level(check_memory(memory, false), "memory.available"), Level::kFailure);
}

TEST(Memory, AGpuWantsAddressesWithoutLimit) {
  auto memory = kSound;
  memory.address_space = 64 * kGiB;
  EXPECT_EQ(level(check_memory(memory, false), "memory.address_space"), Level::kOk);
  EXPECT_EQ(level(check_memory(memory, true), "memory.address_space"), Level::kFailure);
  memory.address_space = 3 * kGiB;
  EXPECT_EQ(level(check_memory(memory, false), "memory.address_space"), Level::kFailure);
  expect_explained(check_memory(memory, false));
}

}  // namespace
}  // namespace raven::doctor
