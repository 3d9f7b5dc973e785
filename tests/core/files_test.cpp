#include "raven/core/files.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

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
      const bool named =
          std::string(error.what()).find("process " + std::to_string(getppid())) != std::string::npos;
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

}  // namespace
}  // namespace raven
