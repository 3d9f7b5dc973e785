#include "raven/doctor/finding.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace raven::doctor {
namespace {

using testing::HasSubstr;

const Findings kFindings = {
    {.id = "a.fine", .what = "fine"},
    {.id = "b.slow", .level = Level::kWarning, .what = "slow", .means = "waits", .remedy = "hurry"},
    {.id = "c.bad",
     .level = Level::kFailure,
     .what = "bad \xFF",
     .means = "ends",
     .remedy = "mend"}};

TEST(Finding, OnlyFailuresKeepRavenFromRunning) {
  EXPECT_FALSE(can_run(kFindings));
  EXPECT_TRUE(can_run({kFindings[0], kFindings[1]}));
  EXPECT_EQ(count(kFindings, Level::kWarning), 1);
}

TEST(Finding, JsonHoldsAllOfIt) {
  const auto json = nlohmann::json::parse(to_json(kFindings, "1.2.3"));
  EXPECT_EQ(json.at("raven"), "1.2.3");
  EXPECT_EQ(json.at("can_run"), false);
  EXPECT_EQ(json.at("failures"), 1);
  EXPECT_EQ(json.at("warnings"), 1);
  EXPECT_EQ(json.at("findings").size(), 3U);
  EXPECT_EQ(json.at("findings")[1], (nlohmann::json{{"id", "b.slow"},
                                                    {"level", "warning"},
                                                    {"what", "slow"},
                                                    {"means", "waits"},
                                                    {"remedy", "hurry"}}));
}

TEST(Finding, TextKeepsWithinALineAndEndsWithTheVerdict) {
  auto findings = kFindings;
  for (int i = 0; i < 40; ++i) findings[1].means += " and waits";
  const auto text = to_text(findings);
  EXPECT_THAT(text, HasSubstr("ok       a.fine                  fine\n"));
  EXPECT_THAT(text, HasSubstr("\n         mend: hurry\n"));
  EXPECT_THAT(text, HasSubstr("\nraven cannot run here: 1 failure, 1 warning\n"));
  EXPECT_THAT(to_text({kFindings[0]}), HasSubstr("\nraven can run here: 0 failures, 0 warnings\n"));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 98U) << line;
}

TEST(Finding, SizesAreReadable) {
  EXPECT_EQ(size_text(0), "0 bytes");
  EXPECT_EQ(size_text(1536), "1.5 KiB");
  EXPECT_EQ(size_text(64 * kMiB), "64 MiB");
  EXPECT_EQ(size_text(kGiB + kGiB / 2), "1.5 GiB");
  EXPECT_EQ(size_text(~0ULL), "16777216 TiB");
}

}  // namespace
}  // namespace raven::doctor
