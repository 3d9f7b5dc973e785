#include "raven/plan/trace.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "support/temporary_folder.h"

namespace raven::plan {
namespace {

namespace fs = std::filesystem;

void add() { torch::ones({4}).add(1); }

/// A folder for temporary files that cannot be used, for a while.
class NoTemporaryFolder {
 public:
  NoTemporaryFolder() {
    if (const char* value = std::getenv("TMPDIR")) before_ = value;
    ::setenv("TMPDIR", "/proc/nowhere", 1);
  }
  ~NoTemporaryFolder() {
    if (before_.empty()) {
      ::unsetenv("TMPDIR");
    } else {
      ::setenv("TMPDIR", before_.c_str(), 1);
    }
  }
  NoTemporaryFolder(const NoTemporaryFolder&) = delete;
  NoTemporaryFolder& operator=(const NoTemporaryFolder&) = delete;

 private:
  std::string before_;
};

TEST(Trace, NeedsNoRoomButBesideItsFile) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "trace.json";
  {
    const NoTemporaryFolder none;
    write_trace(file, torch::kCPU, add);
  }
  EXPECT_FALSE(nlohmann::json::parse(read_file(file)).at("traceEvents").empty());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()), 1);
}

TEST(Trace, ALinkStaysOne) {
  const TemporaryFolder folder;
  fs::create_symlink("trace.json", folder.path() / "link");
  write_trace(folder.path() / "link", torch::kCPU, add);
  EXPECT_TRUE(fs::is_symlink(folder.path() / "link"));
  EXPECT_FALSE(
      nlohmann::json::parse(read_file(folder.path() / "trace.json")).at("traceEvents").empty());
}

TEST(Trace, AFolderThatIsNotThereIsAnErrorOfTheSystem) {
  const TemporaryFolder folder;
  EXPECT_THROW(write_trace(folder.path() / "none" / "trace.json", torch::kCPU, add), SystemError);
}

}  // namespace
}  // namespace raven::plan
