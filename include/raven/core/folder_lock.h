// Folders with one owner.
#pragma once

#include <filesystem>

namespace raven {

/// Ownership of a folder by one process: locks on the folder itself and on `<folder>/.lock`, which
/// says whose they are (flock; they end with the process, also when that is killed). Throws
/// ConfigError naming the owner's host, process and start when taken.
class FolderLock {
 public:
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&& other) noexcept;
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  /// In a child of fork(), which holds the lock as well: from here on the parent alone does.
  void leave_to_parent() const;

 private:
  void close();

  mutable int folder_ = -1, file_ = -1;
  std::filesystem::path owned_;
};

}  // namespace raven
