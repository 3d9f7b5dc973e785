#include "raven/doctor/folder.h"

#include <gmock/gmock.h>

#include <cerrno>
#include <fstream>

#include "doctor/find.h"
#include "support/temporary_folder.h"

namespace raven::doctor {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

Folder sound() {
  return {.asked = "runs",
          .present = "/data/runs",
          .exists = true,
          .named = false,
          .obstacle = "",
          .file_system = "ext4",
          .total_bytes = 100 * kGiB,
          .free_bytes = 50 * kGiB,
          .free_files = 1000000,
          .write_error = 0,
          .write_speed = 1e9,
          .read_speed = 2e9,
          .lock_error = 0,
          .clock_ahead_s = 0};
}

TEST(Folder, ATrialWritesReadsAndLeavesNothing) {
  const TemporaryFolder temporary;
  const auto folder = try_runs_folder(temporary.path(), {.bytes = 10 * kMiB, .seconds = 5});
  EXPECT_TRUE(folder.exists);
  EXPECT_EQ(folder.present, temporary.path());
  EXPECT_EQ(folder.write_error, 0);
  EXPECT_GT(folder.write_speed.value(), 0);
  EXPECT_GT(folder.read_speed.value(), 0);
  EXPECT_GT(folder.free_bytes, 0U);
  EXPECT_TRUE(fs::is_empty(temporary.path()));
}

TEST(Folder, WhatIsNotThereYetIsTriedAboveIt) {
  const TemporaryFolder temporary;
  const auto folder = try_runs_folder(temporary.path() / "a" / "b", {.bytes = kMiB});
  EXPECT_FALSE(folder.exists);
  EXPECT_EQ(folder.present, temporary.path());
  EXPECT_EQ(folder.write_error, 0);
  EXPECT_TRUE(fs::is_empty(temporary.path()));
  EXPECT_THAT(find(check_runs_folder(folder), "disk.runs").what, HasSubstr("not there yet"));
}

TEST(Folder, AFileInTheWayIsNamed) {
  const TemporaryFolder temporary;
  std::ofstream(temporary.path() / "file") << "x";
  for (const auto* below : {"file", "file/runs"}) {
    const auto folder = read_folder(temporary.path() / below);
    EXPECT_THAT(folder.obstacle, HasSubstr("file is no folder")) << below;
    EXPECT_EQ(level(check_runs_folder(folder), "disk.runs"), Level::kFailure);
    EXPECT_EQ(level(check_data_folder(folder), "disk.data"), Level::kFailure);
  }
}

TEST(Folder, ReadsTheLargestFileOfData) {
  const TemporaryFolder temporary;
  EXPECT_FALSE(try_data_folder(temporary.path()).read_speed);
  fs::create_directory(temporary.path() / "shards");
  std::ofstream(temporary.path() / "shards" / "0.tar") << std::string(1 << 20, 'x');
  EXPECT_GT(try_data_folder(temporary.path()).read_speed.value(), 0);
  const auto absent = try_data_folder(temporary.path() / "none");
  EXPECT_EQ(level(check_data_folder(absent), "disk.data"), Level::kOk);  // nobody named it
}

TEST(Folder, SoundOnesAreFine) {
  for (const auto& finding : check_runs_folder(sound()))
    EXPECT_EQ(finding.level, Level::kOk) << finding.id;
  for (const auto& finding : check_data_folder(sound()))
    EXPECT_EQ(finding.level, Level::kOk) << finding.id;
}

TEST(Folder, EachReasonHasItsRemedy) {
  const auto remedy = [](int error) {
    auto folder = sound();
    folder.write_error = error;
    folder.write_speed.reset();
    const auto findings = check_runs_folder(folder);
    EXPECT_EQ(level(findings, "disk.runs"), Level::kFailure);
    expect_explained(findings);
    return find(findings, "disk.runs").remedy;
  };
  EXPECT_THAT(remedy(ENOSPC), HasSubstr("free some space"));
  EXPECT_THAT(remedy(EDQUOT), HasSubstr("quota"));
  EXPECT_THAT(remedy(EFBIG), HasSubstr("ulimit -f"));
  EXPECT_THAT(remedy(EROFS), HasSubstr("mount"));
  EXPECT_THAT(remedy(EACCES), HasSubstr("chmod u+w /data/runs"));
}

TEST(Folder, SpaceFilesSpeedAndLocks) {
  auto folder = sound();
  folder.free_bytes = 100 * kMiB;
  EXPECT_EQ(level(check_runs_folder(folder), "disk.runs_space"), Level::kFailure);
  folder.free_bytes = kGiB;
  EXPECT_EQ(level(check_runs_folder(folder), "disk.runs_space"), Level::kWarning);
  folder = sound();
  folder.free_files = 3;
  EXPECT_THAT(find(check_runs_folder(folder), "disk.runs_space").what,
              HasSubstr("room for 3 more files"));
  folder = sound();
  folder.write_speed = 1e6;
  folder.lock_error = ENOLCK;
  const auto findings = check_runs_folder(folder);
  EXPECT_EQ(level(findings, "disk.runs_speed"), Level::kWarning);
  EXPECT_EQ(level(findings, "disk.runs_locks"), Level::kWarning);
  expect_explained(findings);
  folder.read_speed = 1e6;
  EXPECT_EQ(level(check_data_folder(folder), "disk.data_speed"), Level::kWarning);
  folder = sound();
  folder.exists = false;
  folder.named = true;
  EXPECT_EQ(level(check_data_folder(folder), "disk.data"), Level::kFailure);
}

}  // namespace
}  // namespace raven::doctor
