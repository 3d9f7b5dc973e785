#include "evaluation/new_folder.h"

#include "raven/core/files.h"

namespace raven::evaluation {

namespace fs = std::filesystem;

NewFolder::NewFolder(const fs::path& folder) : folder_(fs::absolute(folder).lexically_normal()) {
  for (auto at = folder_; !fs::exists(at); at = at.parent_path()) first_made_ = at;
  make_folders(folder);
}

NewFolder::~NewFolder() {
  if (first_made_.empty()) return;
  std::error_code failed;
  fs::remove_all(folder_, failed);
  // Up to the first one that something else came into.
  for (auto at = folder_; at != first_made_ && !failed;) {
    at = at.parent_path();
    fs::remove(at, failed);
  }
}

}  // namespace raven::evaluation
