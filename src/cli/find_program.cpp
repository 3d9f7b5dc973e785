#include "cli/find_program.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "raven/core/files.h"

namespace raven::cli {
namespace {

namespace fs = std::filesystem;

bool is_program(const fs::path& file) {
  struct stat status {};
  return stat(file.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         access(file.c_str(), X_OK) == 0;
}

}  // namespace

fs::path find_program(const std::string& name) {
  const auto beside = program_folder();
  if (!beside.empty() && is_program(beside / name)) return beside / name;
  const char* path = std::getenv("PATH");
  std::string rest = path == nullptr ? "" : path;
  while (!rest.empty()) {
    const auto end = std::min(rest.find(':'), rest.size());
    const fs::path folder = rest.substr(0, end);
    if (folder.is_absolute() && is_program(folder / name)) return folder / name;
    rest.erase(0, std::min(end + 1, rest.size()));
  }
  return {};
}

}  // namespace raven::cli
