#include "raven/doctor/clock.h"

#include <gmock/gmock.h>

#include "doctor/find.h"

namespace raven::doctor {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kBuilt = 1700000000;  // 2023-11-14 22:13:20 UTC

TEST(Clock, IsNotBeforeTheProgram) {
  EXPECT_EQ(level(check_clock({.now_s = kBuilt, .program_s = kBuilt}), "clock.system"), Level::kOk);
  EXPECT_EQ(level(check_clock({.now_s = kBuilt - 3600, .program_s = kBuilt}), "clock.system"),
            Level::kOk);
  EXPECT_EQ(level(check_clock({.now_s = 0, .program_s = {}}), "clock.system"), Level::kOk);
  const auto findings = check_clock({.now_s = kBuilt - 3601, .program_s = kBuilt});
  EXPECT_EQ(level(findings, "clock.system"), Level::kWarning);
  EXPECT_THAT(find(findings, "clock.system").what, HasSubstr("2023-11-14 22:13:20 UTC"));
  expect_explained(findings);
}

TEST(Clock, AgreesWithThatOfTheFiles) {
  Folder folder{.asked = "runs", .present = "/runs"};
  EXPECT_TRUE(check_folder_clock(folder).empty());
  for (const auto& [ahead, level_expected] : {std::pair{0.0, Level::kOk},
                                              {4.0, Level::kOk},
                                              {6.0, Level::kWarning},
                                              {-6.0, Level::kWarning}}) {
    folder.clock_ahead_s = ahead;
    EXPECT_EQ(level(check_folder_clock(folder), "clock.file_system"), level_expected) << ahead;
    expect_explained(check_folder_clock(folder));
  }
}

}  // namespace
}  // namespace raven::doctor
