#include "report/links.h"

#include <algorithm>
#include <system_error>

#include "raven/core/error.h"

namespace raven::report {

namespace fs = std::filesystem;

bool lies_below(const fs::path& folder, const fs::path& file) {
  std::error_code folder_error, file_error;
  const auto root = fs::weakly_canonical(folder, folder_error);
  const auto target = fs::weakly_canonical(file, file_error);
  const auto common = std::mismatch(root.begin(), root.end(), target.begin(), target.end());
  return !folder_error && !file_error && common.first == root.end();
}

void refuse_link_out(const fs::path& file) {
  const auto parent = file.parent_path();
  if (!lies_below(parent.empty() ? fs::path(".") : parent, file)) {
    throw DataError(
        fmt::format("{} is a link that leads out of the run, and is not shown", file.string()));
  }
}

}  // namespace raven::report
