#include "raven/artifacts/run_history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "raven/core/files.h"
#include "support/temporary_folder.h"

namespace raven::artifacts {
namespace {

class RunHistoryTest : public testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path file() const { return folder_.path() / report::kHistoryFile; }
  /// Two starts; the first has ended.
  [[nodiscard]] std::string two_starts() const {
    std::filesystem::remove(file());
    RunHistory first(folder_.path());
    first.start({.steps = 10, .arguments = {"a=\xFF\n"}, .facts = {{"host", "h"}}});
    first.stop(4, "signal 15");
    RunHistory(folder_.path()).start({.from_step = 4, .steps = 20});
    return read_file(file());
  }

  TemporaryFolder folder_;
};

TEST_F(RunHistoryTest, KeepsStartsAndEnds) {
  const auto parts = report::parse_history(two_starts());
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[0].start.arguments, std::vector<std::string>{"a=%FF%0A"});
  EXPECT_EQ(parts[0].start.facts.at("host"), "h");
  EXPECT_EQ(parts[0].start.time.size(), std::string("2026-01-31T12:00:00Z").size());
  EXPECT_EQ(parts[0].stop->step, 4);
  EXPECT_EQ(parts[0].stop->reason, "signal 15");
  EXPECT_FALSE(parts[1].stop.has_value());
  EXPECT_EQ(parts[1].start.from_step, 4);
  EXPECT_EQ(RunHistory(folder_.path()).earlier().size(), 2U);
}

TEST_F(RunHistoryTest, CutAnywhereItKeepsTheWholeLinesAndGoesOn) {
  const auto whole = two_starts();
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    write_file_atomically(file(), whole.substr(0, size));
    const auto lines = std::ranges::count(whole.substr(0, size), '\n');
    const std::size_t before = lines == 0 ? 0 : lines < 3 ? 1 : 2;
    RunHistory next(folder_.path());
    next.start({.from_step = 8, .steps = 20});
    next.stop(20, "done");
    const auto parts = report::parse_history(read_file(file()));
    ASSERT_EQ(parts.size(), before + 1) << size;
    EXPECT_EQ(parts.back().start.from_step, 8) << size;
    EXPECT_EQ(parts.back().stop->reason, "done") << size;
    if (before > 0) EXPECT_EQ(parts[0].stop.has_value(), lines > 1) << size;
  }
}

TEST_F(RunHistoryTest, WithoutAStartThereIsNoEnd) {
  RunHistory history(folder_.path());
  history.stop(4, "error");
  EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(RunHistoryTest, AnEndThatCannotBeWrittenIsNoError) {
  RunHistory history(folder_.path());
  history.start({.steps = 10});
  std::filesystem::remove(file());
  std::filesystem::create_directory(file());
  EXPECT_NO_THROW(history.stop(4, "done"));
}

}  // namespace
}  // namespace raven::artifacts
