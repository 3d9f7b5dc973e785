#include "raven/core/new_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <fstream>
#include <functional>
#include <set>
#include <thread>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/folder_lock.h"
#include "support/failing_call.h"
#include "support/temporary_folder.h"

namespace raven {
namespace {

namespace fs = std::filesystem;

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.insert(entry.path().filename().string());
  return names;
}

using Names = std::set<std::string>;

/// Runs `work` in a process of its own and returns how that ended, as waitpid tells.
int status_of(const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    work();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

void leave_one_behind(const fs::path& file) {
  const auto status = status_of([&] {
    NewFile out(file);
    out.write("half");
    ::raise(SIGKILL);
  });
  ASSERT_TRUE(WIFSIGNALED(status));
}

/// The same name as if given on another machine.
std::string of_another_machine(std::string name) {
  const auto digits = name.rfind(".raven-") + 7;
  for (std::size_t i = digits; i < digits + 8; ++i) name[i] = name[i] == '0' ? '1' : '0';
  return name;
}

/// A name that a new file would have here.
std::string name_beside(const fs::path& file) { return NewFile(file).path().filename().string(); }

TEST(NewFile, HasANameOfItsOwnUntilItTakesThePlace) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "a.txt";
  write_file_atomically(file, "old");
  NewFile first(file), second(file);
  EXPECT_NE(first.path(), second.path());
  for (const auto* out : {&first, &second}) {
    EXPECT_TRUE(is_name_of_new_file(out->path().filename().string()));
    EXPECT_EQ(out->path().extension(), ".tmp");
  }
  first.write("first");
  second.write("second, longer");
  EXPECT_EQ(read_file(file), "old");
  second.commit();
  EXPECT_EQ(read_file(file), "second, longer");
  first.commit();
  EXPECT_EQ(read_file(file), "first");
  EXPECT_EQ(names_in(folder.path()), Names{"a.txt"});
}

TEST(NewFile, WithoutCommitNothingHasHappened) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "a.txt";
  write_file_atomically(file, "old");
  NewFile(file).write("new");
  EXPECT_EQ(read_file(file), "old");
  EXPECT_EQ(names_in(folder.path()), Names{"a.txt"});
}

TEST(NewFile, FilesOfOthersBesideItStay) {
  const TemporaryFolder folder;
  write_file_atomically(folder.path() / "victim", "mine");
  write_file_atomically(folder.path() / "b.tmp", "mine, too");
  fs::create_symlink("victim", folder.path() / "a.tmp");
  write_file_atomically(folder.path() / "a", "new");
  write_file_atomically(folder.path() / "b", "new");
  EXPECT_EQ(read_file(folder.path() / "victim"), "mine");
  EXPECT_EQ(read_file(folder.path() / "b.tmp"), "mine, too");
  EXPECT_EQ(names_in(folder.path()), (Names{"a", "a.tmp", "b", "b.tmp", "victim"}));
}

TEST(NewFile, WhatAKilledWriterLeftGoesWithTheNextFile) {
  const TemporaryFolder folder;
  leave_one_behind(folder.path() / "a");
  ASSERT_EQ(names_in(folder.path()).size(), 1U);
  write_file_atomically(folder.path() / "b", "new");
  EXPECT_EQ(names_in(folder.path()), Names{"b"});
}

TEST(NewFile, TheFileOfAWriterThatLivesStays) {
  const TemporaryFolder folder;
  std::array<int, 2> ready{}, go_on{};
  ASSERT_EQ(::pipe(ready.data()), 0);
  ASSERT_EQ(::pipe(go_on.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    NewFile out(folder.path() / "a");
    out.write("child");
    char byte = 0;
    if (::write(ready[1], "x", 1) != 1 || ::read(go_on[0], &byte, 1) != 1) ::_exit(1);
    out.commit();
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  write_file_atomically(folder.path() / "a", "parent");
  const FolderLock lock(folder.path());  // and in a folder of one's own
  ASSERT_EQ(::write(go_on[1], "x", 1), 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read_file(folder.path() / "a"), "child");
  EXPECT_EQ(names_in(folder.path()), (Names{".lock", "a"}));
}

TEST(NewFile, WhatAnotherMachineLeftGoesAtOnceOnlyWhereTheFolderIsOwned) {
  const TemporaryFolder folder;
  const auto name = of_another_machine(name_beside(folder.path() / "a"));
  ASSERT_TRUE(is_name_of_new_file(name));
  std::ofstream(folder.path() / name) << "half";
  remove_stale_files(folder.path());
  EXPECT_EQ(names_in(folder.path()), Names{name});
  make_folders(folder.path() / "below");
  std::ofstream(folder.path() / "below" / name) << "half";
  const FolderLock lock(folder.path());
  EXPECT_EQ(names_in(folder.path()), (Names{".lock", "below"}));
  write_file_atomically(folder.path() / "below" / "a", "new");
  EXPECT_EQ(names_in(folder.path() / "below"), Names{"a"});
}

TEST(NewFile, WhatAnotherMachineLeftGoesAfterADay) {
  const TemporaryFolder folder;
  const auto name = of_another_machine(name_beside(folder.path() / "a"));
  std::ofstream(folder.path() / name) << "half";
  fs::last_write_time(folder.path() / name,
                      fs::file_time_type::clock::now() - std::chrono::hours(25));
  remove_stale_files(folder.path());
  EXPECT_EQ(names_in(folder.path()), Names{});
}

TEST(NewFile, OnlyItsOwnNamesAreTakenForStaleFiles) {
  const TemporaryFolder folder;
  const auto name = name_beside(folder.path() / "a");
  auto other = name;
  other[other.rfind(".raven-") + 9] = 'g';
  for (const auto& text : {other, name + "x", name.substr(0, name.size() - 4), std::string(".tmp")})
    EXPECT_FALSE(is_name_of_new_file(text)) << text;
  fs::create_symlink("/", folder.path() / name);
  std::ofstream(folder.path() / other) << "mine";
  remove_stale_files(folder.path());
  EXPECT_EQ(names_in(folder.path()), (Names{name, other}));
}

TEST(NewFile, ReplacesWhatALinkLeadsTo) {
  const TemporaryFolder folder;
  make_folders(folder.path() / "far");
  fs::create_symlink("far/b", folder.path() / "link");
  fs::create_symlink("link", folder.path() / "link to link");
  for (const auto* content : {"made", "replaced"}) {
    write_file_atomically(folder.path() / "link to link", content);
    EXPECT_EQ(read_file(folder.path() / "far" / "b"), content);
  }
  EXPECT_TRUE(fs::is_symlink(folder.path() / "link"));
  EXPECT_TRUE(fs::is_symlink(folder.path() / "link to link"));
  fs::create_symlink("loop", folder.path() / "loop");
  EXPECT_THROW(write_file_atomically(folder.path() / "loop", "x"), SystemError);
}

TEST(NewFile, WritesToAPipeInsteadOfReplacingIt) {
  const TemporaryFolder folder;
  const auto pipe = folder.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::string got;
  std::thread reader([&] { got = read_file(pipe, 1 << 20, FileKind::kAny); });
  NewFile out(pipe);
  out.write("abc");
  out.replace(0, "x");  // what is written to a pipe cannot be changed any more
  std::ofstream(out.path(), std::ios::app) << "from a library";
  out.commit();
  reader.join();
  EXPECT_EQ(got, "xbcfrom a library");
  EXPECT_TRUE(fs::is_fifo(pipe));
  EXPECT_EQ(names_in(folder.path()), Names{"pipe"});
}

TEST(NewFile, WritesToStandardOutputWhereThatStands) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "out";
  const auto status = status_of([&] {
    const int out = ::open(file.c_str(), O_WRONLY | O_CREAT, 0600);
    ::dup2(out, STDOUT_FILENO);
    if (::write(STDOUT_FILENO, "before ", 7) != 7) ::_exit(1);
    write_file_atomically("/dev/stdout", "middle");
    write_file_atomically("/dev/fd/1", "");
    if (::write(STDOUT_FILENO, " after", 6) != 6) ::_exit(1);
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read_file(file), "before middle after");
}

TEST(NewFile, NamesADeviceThatIsFull) {
  try {
    write_file_atomically("/dev/full", "content");
    FAIL() << "no error";
  } catch (const SystemError& error) {
    EXPECT_STREQ(error.what(),
                 "cannot write /dev/full: No space left on device; free some space and run again");
  }
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
}

TEST(NewFile, RefusesAFolder) {
  const TemporaryFolder folder;
  EXPECT_THROW(write_file_atomically(folder.path(), "x"), SystemError);
  EXPECT_EQ(names_in(folder.path()), Names{});
}

TEST(NewFile, HonoursTheUmask) {
  const TemporaryFolder folder;
  const auto mode_of = [&](mode_t mask) {
    const auto before = ::umask(mask);
    write_file_atomically(folder.path() / "a", "x");
    ::umask(before);
    struct stat status {};
    ::stat((folder.path() / "a").c_str(), &status);
    return status.st_mode & 0777;
  };
  EXPECT_EQ(mode_of(002), 0664U);
  EXPECT_EQ(mode_of(077), 0600U);
}

TEST(NewFile, TakesTheLongestNames) {
  const TemporaryFolder folder;
  const std::string name(255, 'x');
  write_file_atomically(folder.path() / name, "content");
  EXPECT_EQ(read_file(folder.path() / name), "content");
}

TEST(NewFile, NoticesThatItWasExchanged) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "a";
  write_file_atomically(file, "old");
  NewFile out(file);
  fs::remove(out.path());
  fs::create_symlink("/etc/passwd", out.path());
  EXPECT_THROW(out.commit(), SystemError);
  EXPECT_EQ(read_file(file), "old");
}

#ifdef __NR_rename
constexpr int kRenameCall = __NR_rename;
#elif defined(__NR_renameat)
constexpr int kRenameCall = __NR_renameat;  // what the C library calls elsewhere
#else
constexpr int kRenameCall = __NR_renameat2;
#endif

TEST(NewFile, WhereACallFailsTheOldContentStandsAndNothingIsLeft) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "a";
  write_file_atomically(file, "old");
  for (const int call : {__NR_openat, __NR_write, __NR_pwrite64, __NR_fsync, kRenameCall}) {
    for (const int code : {ENOSPC, EROFS, EIO, EDQUOT, EFBIG}) {
      const auto status = status_of([&] {
        let_fail(call, code);
        try {
          NewFile out(file);
          out.write("new");
          out.replace(0, "N");
          out.commit();
          ::_exit(1);
        } catch (const SystemError& error) {
          const bool named = std::string(error.what()).find(file.string()) != std::string::npos;
          ::_exit(named ? 0 : 2);
        }
      });
      EXPECT_EQ(status, 0) << "call " << call << ", error " << code;
      EXPECT_EQ(read_file(file), "old");
      EXPECT_EQ(names_in(folder.path()), Names{"a"});
    }
  }
}

TEST(NewFile, WhereThereAreNoLocksWhatIsLeftGoesFromAFolderOfOnesOwn) {
  const TemporaryFolder folder;
  const auto name = name_beside(folder.path() / "a");
  std::ofstream(folder.path() / name) << "half";
  const auto status = status_of([&] {
    let_fail(__NR_flock, ENOLCK);
    remove_stale_files(folder.path());
    if (!fs::exists(folder.path() / name)) ::_exit(1);  // it may be another's
    const FolderLock lock(folder.path());
    ::_exit(fs::exists(folder.path() / name) ? 2 : 0);
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(names_in(folder.path()), Names{".lock"});
}

}  // namespace
}  // namespace raven
