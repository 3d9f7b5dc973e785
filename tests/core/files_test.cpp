#include "raven/core/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "raven/core/error.h"
#include "raven/core/sha256.h"
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

TEST(Files, APipeAmongDataIsNotWaitedFor) {
  const TemporaryFolder folder;
  const auto pipe = folder.path() / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THROW(read_file(pipe), DataError);
  EXPECT_THROW(checksum_file(pipe), DataError);
  EXPECT_THROW(sha256_file(pipe), DataError);
  EXPECT_THROW(read_file("/dev/null"), DataError);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto name = (folder.path() / "socket").string();
  ASSERT_LT(name.size(), sizeof address.sun_path);
  std::memcpy(address.sun_path, name.c_str(), name.size());
  ASSERT_EQ(bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_THROW(read_file(folder.path() / "socket"), DataError);
  close(socket);
}

TEST(Files, APipeThatTheUserNamesIsRead) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  ASSERT_EQ(write(ends[1], "content", 7), 7);
  close(ends[1]);
  EXPECT_EQ(read_file("/dev/fd/" + std::to_string(ends[0]), 100, FileKind::kAny), "content");
  close(ends[0]);
}

TEST(Files, AGivenPipeCanBeReadMoreThanOnce) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  ASSERT_EQ(write(ends[1], "content", 7), 7);
  close(ends[1]);
  const GivenFile file("/dev/fd/" + std::to_string(ends[0]));
  for (int time = 0; time < 2; ++time) EXPECT_EQ(read_file(file.path()), "content");
  EXPECT_EQ(GivenFile("a/b").path(), "a/b");
  close(ends[0]);
}

int count_descriptors() {
  const std::filesystem::directory_iterator open("/proc/self/fd");
  return static_cast<int>(std::distance(begin(open), end(open)));
}

TEST(Files, AGivenSocketIsRead) {
  std::array<int, 2> ends{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  ASSERT_EQ(write(ends[1], "content", 7), 7);
  close(ends[1]);
  const TemporaryFolder folder;
  const auto link = folder.path() / "link";
  std::filesystem::create_symlink("/dev/fd/" + std::to_string(ends[0]), link);
  const GivenFile file(link);
  EXPECT_EQ(read_file(file.path()), "content");
  close(ends[0]);
}

TEST(Files, AGivenPipeThatCannotBeCopiedLeavesNothingOpen) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  const auto before = count_descriptors();
  // Written to, but not read from: the copy fails after it was opened.
  EXPECT_THROW(GivenFile("/dev/fd/" + std::to_string(ends[1])), SystemError);
  EXPECT_EQ(count_descriptors(), before);
  close(ends[0]);
  close(ends[1]);
}

TEST(Files, MakesFoldersWithTheirParents) {
  const TemporaryFolder folder;
  make_folders(folder.path() / "a/b/../c/");
  EXPECT_TRUE(std::filesystem::is_directory(folder.path() / "a/c"));
  EXPECT_NO_THROW(make_folders(folder.path() / "a/c"));
  write_file_atomically(folder.path() / "file", "");
  EXPECT_THROW(make_folders(folder.path() / "file"), SystemError);
  EXPECT_THROW(make_folders(folder.path() / "file/below"), SystemError);
}

TEST(Files, ChecksumsOfFileAndBytesAgree) {
  const TemporaryFolder folder;
  const std::string content(3'000'000, 'x');
  write_file_atomically(folder.path() / "a", content);
  EXPECT_EQ(checksum_file(folder.path() / "a"), checksum(content));
  EXPECT_EQ(checksum_text(checksum("")), "2d06800538d394c2");  // published value of XXH3 of nothing
}

}  // namespace
}  // namespace raven
