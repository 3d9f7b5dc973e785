#include "raven/core/files.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <fstream>

#include "raven/core/error.h"
#include "support/temporary_folder.h"

namespace raven {
namespace {

TEST(Files, ReplacesAFileWholeOrNotAtAll) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "a.txt";
  write_file_atomically(file, "old");
  EXPECT_THROW(replace_file(file,
                            [](const auto& temporary) {
                              std::ofstream(temporary) << "half";
                              throw DataError("stopped half way");
                            }),
               DataError);
  EXPECT_EQ(read_file(file), "old");
  EXPECT_FALSE(std::filesystem::exists(file.string() + ".tmp"));
  write_file_atomically(file, "new");
  EXPECT_EQ(read_file(file), "new");
}

TEST(Files, SaysDiskFullWithAHint) {
  try {
    write_file_atomically("/dev/full/x", "content");  // not a folder
    FAIL() << "no error";
  } catch (const SystemError& error) {
    EXPECT_NE(std::string(error.what()).find("/dev/full"), std::string::npos);
  }
}

TEST(Files, RefusesMoreThanTheAllowedBytes) {
  const TemporaryFolder folder;
  write_file_atomically(folder.path() / "a", "12345");
  EXPECT_THROW(read_file(folder.path() / "a", 4), DataError);
  EXPECT_THROW(read_file("/dev/zero", 1000), DataError);
  EXPECT_THROW(read_file(folder.path() / "absent"), DataError);
  EXPECT_THROW(read_file(folder.path()), DataError);
}

TEST(Files, ChecksumsOfFileAndBytesAgree) {
  const TemporaryFolder folder;
  const std::string content(3'000'000, 'x');
  write_file_atomically(folder.path() / "a", content);
  EXPECT_EQ(checksum_file(folder.path() / "a"), checksum(content));
  EXPECT_EQ(checksum_text(checksum("")), "2d06800538d394c2");  // published value of XXH3 of nothing
}

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

TEST(FolderLock, EndsWithItsOwner) {
  const TemporaryFolder folder;
  { const FolderLock lock(folder.path()); }
  EXPECT_NO_THROW(FolderLock{folder.path()});
}

/// In this process flock() now fails as on a file system without locks.
void take_locks_away(int code) {
  const sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_flock, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(code)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog filter{.len = std::size(program), .filter = const_cast<sock_filter*>(program)};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    std::abort();
  }
}

TEST(FolderLock, WarnsAndGoesOnWhereThereAreNoLocks) {
  const TemporaryFolder folder;
  for (const int code : {ENOSYS, ENOLCK, EOPNOTSUPP}) {
    EXPECT_EXIT(
        {
          take_locks_away(code);
          const FolderLock lock(folder.path());
          std::_Exit(0);
        },
        testing::ExitedWithCode(0), "");
  }
}

}  // namespace
}  // namespace raven
