#include "raven/core/folder_lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <fstream>

#include "raven/core/error.h"
#include "support/failing_call.h"
#include "support/temporary_folder.h"

namespace raven {
namespace {

TEST(FolderLock, RefusesASecondOwnerByName) {
  const TemporaryFolder folder;
  const FolderLock lock(folder.path());
  const pid_t child = fork();
  if (child == 0) {
    try {
      const FolderLock second(folder.path());
      _exit(1);
    } catch (const ConfigError& error) {
      const bool named = std::string(error.what()).find("process " + std::to_string(getppid())) !=
                         std::string::npos;
      _exit(named ? 0 : 2);
    }
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

/// What a process that comes second is told; empty when it gets the lock.
std::string refusal_of_a_second(const std::filesystem::path& folder) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) std::abort();
  const pid_t child = fork();
  if (child == 0) {
    std::string text;
    try {
      const FolderLock second(folder);
    } catch (const std::exception& error) {
      text = error.what();
    }
    _exit(write(ends[1], text.data(), text.size()) < 0 ? 1 : 0);
  }
  close(ends[1]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  std::array<char, 1024> text{};
  const auto count = read(ends[0], text.data(), text.size());
  close(ends[0]);
  return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
}

TEST(FolderLock, RemovingItsFileLetsNoSecondOwnerIn) {
  const TemporaryFolder folder;
  const FolderLock lock(folder.path());
  std::filesystem::remove(folder.path() / ".lock");
  EXPECT_NE(refusal_of_a_second(folder.path()).find("is in use by another process"),
            std::string::npos);
  std::ofstream(folder.path() / ".lock") << "someone";
  EXPECT_NE(refusal_of_a_second(folder.path()).find("is in use by someone"), std::string::npos);
}

TEST(FolderLock,
     RefusesWhereOnlyItsFileIsLocked) {  // as versions before do, and network file systems
  const TemporaryFolder folder;
  const int file = open((folder.path() / ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_EQ(flock(file, LOCK_EX), 0);
  EXPECT_NE(refusal_of_a_second(folder.path()).find("is in use by"), std::string::npos);
  close(file);
  EXPECT_EQ(refusal_of_a_second(folder.path()), "");
}

TEST(FolderLock, AChildThatLeavesItToItsParentDoesNotHoldIt) {
  const TemporaryFolder folder;
  std::array<int, 2> ready{}, end{};
  ASSERT_EQ(pipe(ready.data()), 0);
  ASSERT_EQ(pipe(end.data()), 0);
  pid_t child = 0;
  {
    const FolderLock lock(folder.path());
    child = fork();
    if (child == 0) {
      lock.leave_to_parent();
      char byte = 0;
      _exit(write(ready[1], "x", 1) == 1 && read(end[0], &byte, 1) == 1 ? 0 : 1);
    }
    char byte = 0;
    ASSERT_EQ(read(ready[0], &byte, 1), 1);
    EXPECT_NE(refusal_of_a_second(folder.path()), "");
  }
  EXPECT_EQ(refusal_of_a_second(folder.path()), "");
  ASSERT_EQ(write(end[1], "x", 1), 1);
  waitpid(child, nullptr, 0);
}

TEST(FolderLock, EndsWithItsOwner) {
  const TemporaryFolder folder;
  { const FolderLock lock(folder.path()); }
  EXPECT_NO_THROW(FolderLock{folder.path()});
}

TEST(FolderLock, WarnsAndGoesOnWhereThereAreNoLocks) {
  const TemporaryFolder folder;
  for (const int code : {ENOSYS, ENOLCK, EOPNOTSUPP}) {
    EXPECT_EXIT(
        {
          let_fail(__NR_flock, code);
          const FolderLock lock(folder.path());
          std::_Exit(0);
        },
        testing::ExitedWithCode(0), "");
  }
}

}  // namespace
}  // namespace raven
