#include "raven/core/log.h"

#include <gtest/gtest.h>

#include "raven/core/files.h"
#include "support/temporary_folder.h"

namespace raven {
namespace {

/// What a message looks like on stderr and in a run's log, without the time.
std::pair<std::string, std::string> logged(const std::string& message) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "log.txt";
  testing::internal::CaptureStderr();
  log::start("info");
  {
    const log::AlsoTo also(file);
    log::warn("{}", message);
  }
  const auto shown = testing::internal::GetCapturedStderr();
  testing::internal::CaptureStderr();
  log::warn("of the next run");
  testing::internal::GetCapturedStderr();
  const auto written = read_file(file);
  return {shown.substr(shown.find(" W ")), written.substr(written.find(" W "))};
}

TEST(Log, ShowsWhatSteersATerminalInLetters) {
  const auto [shown, written] = logged(
      "utterance '\x1b]0;title\x07' \xC2\x9B"
      "2J");
  EXPECT_EQ(shown, " W utterance '\\u001b]0;title\\u0007' \\u009b2J\n");
  EXPECT_EQ(written, shown);
}

TEST(Log, ALineInAMessagePassesForNoMessageOfItsOwn) {
  const auto [shown, written] = logged("no file x\n12:00:00 I all is well\n  a list\n");
  EXPECT_EQ(shown, " W no file x\n  12:00:00 I all is well\n  a list\n\n");
  EXPECT_EQ(written, shown);
}

}  // namespace
}  // namespace raven
