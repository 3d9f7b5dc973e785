#include "artifacts/folder_exchange.h"

#include <fcntl.h>
#include <stdio.h>

#include <cerrno>
#include <cstring>

#include "raven/core/error.h"
#include "raven/core/files.h"

namespace raven::artifacts {

namespace fs = std::filesystem;

bool exchange_names(const fs::path& a, const fs::path& b) {
  if (::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0) return true;
  if (errno == ENOSYS || errno == EINVAL || errno == EOPNOTSUPP) return false;
  throw SystemError(
      fmt::format("cannot exchange {} and {}: {}", a.string(), b.string(), std::strerror(errno)));
}

void replace_folder(const fs::path& fresh, const fs::path& folder, const Exchange& exchange) {
  if (exchange(fresh, folder)) return;
  auto replaced = folder;
  replaced += kReplacedEnding;
  std::error_code ignored;
  fs::remove_all(replaced, ignored);
  rename_or_throw(folder, replaced);
  try {
    rename_or_throw(fresh, folder);
  } catch (const SystemError&) {
    rename_or_throw(replaced, folder);
    throw;
  }
}

}  // namespace raven::artifacts
