#include "raven/doctor/limits.h"

#include <gmock/gmock.h>

#include "doctor/find.h"

namespace raven::doctor {
namespace {

using testing::HasSubstr;

const Limits kNone = {.open_files = {},
                      .processes = {},
                      .file_size = {},
                      .locked_memory = {},
                      .shared_total = 16 * kGiB,
                      .shared_free = 16 * kGiB,
                      .shared_writable = true};

TEST(Limits, NoneIsFine) {
  for (const auto& finding : check_limits(kNone, {.gpu = true, .processes = true}))
    EXPECT_EQ(finding.level, Level::kOk) << finding.id;
}

TEST(Limits, EachHasItsRemedy) {
  auto limits = kNone;
  limits.open_files = {.soft = 64, .hard = 65536};
  limits.processes = {.soft = 100, .hard = 100};
  limits.file_size = {.soft = kMiB, .hard = {}};
  const auto findings = check_limits(limits, {});
  EXPECT_EQ(level(findings, "limits.open_files"), Level::kFailure);
  EXPECT_EQ(find(findings, "limits.open_files").remedy, "ulimit -n 4096");
  EXPECT_THAT(find(findings, "limits.processes").remedy, HasSubstr("limits.conf"));
  EXPECT_EQ(find(findings, "limits.file_size").remedy, "ulimit -f unlimited");
  expect_explained(findings);
  limits.open_files = {.soft = 512, .hard = 512};
  EXPECT_EQ(level(check_limits(limits, {}), "limits.open_files"), Level::kWarning);
  EXPECT_THAT(find(check_limits(limits, {}), "limits.open_files").remedy,
              HasSubstr("docker run --ulimit nofile"));
}

TEST(Limits, LockedAndSharedMemoryMatterToGpusAndSeveralProcesses) {
  auto limits = kNone;
  limits.locked_memory = {.soft = 64 << 10, .hard = 64 << 10};
  limits.shared_free = 64 * kMiB;
  EXPECT_EQ(level(check_limits(limits, {}), "limits.locked_memory"), Level::kOk);
  EXPECT_EQ(level(check_limits(limits, {}), "limits.shared_memory"), Level::kOk);
  EXPECT_EQ(level(check_limits(limits, {.gpu = true}), "limits.locked_memory"), Level::kWarning);
  const auto findings = check_limits(limits, {.gpu = true, .processes = true});
  EXPECT_THAT(find(findings, "limits.shared_memory").remedy, HasSubstr("--shm-size"));
  expect_explained(findings);
  limits.shared_total.reset();
  EXPECT_EQ(level(check_limits(limits, {.processes = true}), "limits.shared_memory"),
            Level::kWarning);
}

}  // namespace
}  // namespace raven::doctor
