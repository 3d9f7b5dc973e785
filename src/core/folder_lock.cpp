#include "raven/core/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <mutex>
#include <set>
#include <utility>

#include "core/descriptor.h"
#include "core/owned_folders.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/core/new_file.h"

namespace raven {
namespace {

namespace fs = std::filesystem;

struct Owned {
  std::mutex mutex;
  std::multiset<fs::path> folders;  // canonical
};

Owned& owned() {
  static Owned value;
  return value;
}

fs::path resolved(const fs::path& folder) {
  std::error_code ignored;
  return fs::canonical(folder, ignored);
}

std::string text_of(const fs::path& file) {
  const Descriptor in(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  std::array<char, 512> text{};
  const auto count = in.value() < 0 ? 0 : ::read(in.value(), text.data(), text.size() - 1);
  return count > 0 ? std::string(text.data()) : std::string("another process");
}

[[noreturn]] void refuse(const fs::path& folder) {
  throw ConfigError(
      fmt::format("{} is in use by {}; wait for it, stop it, or choose another folder",
                  folder.string(), text_of(folder / ".lock")));
}

/// True when locked, false when the file system has no locks for it. Throws when it is taken.
bool take(int descriptor, const fs::path& folder) {
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return true;
  if (errno == EWOULDBLOCK) refuse(folder);
  if (has_no_locks(errno)) return false;
  throw_system_error("lock", folder, errno);
}

std::string this_process() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 32> since{};
  std::strftime(since.data(), since.size(), "%Y-%m-%d %H:%M:%S", &utc);
  return fmt::format("process {} on {} since {} UTC", ::getpid(), host.data(), since.data());
}

}  // namespace

bool has_no_locks(int code) {
  return code == ENOSYS || code == ENOLCK || code == EOPNOTSUPP || code == EBADF || code == EINVAL;
}

bool is_owned(const fs::path& folder) {
  auto at = resolved(folder);
  const std::lock_guard lock(owned().mutex);
  if (owned().folders.empty()) return false;
  while (true) {
    if (owned().folders.contains(at)) return true;
    if (at == at.parent_path()) return false;
    at = at.parent_path();
  }
}

// Two locks: the folder's own, which nobody can take away by removing a file, and that of `.lock`,
// for file systems that lock files only.
FolderLock::FolderLock(const fs::path& folder) {
  Descriptor itself(folder, O_RDONLY | O_DIRECTORY);
  if (itself.value() < 0) throw_system_error("lock", folder, errno);
  take(itself.value(), folder);
  const auto path = folder / ".lock";
  while (true) {
    Descriptor file(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK);
    if (file.value() < 0) throw_system_error("lock", path, errno);
    const bool file_locked = take(file.value(), folder);
    struct stat open {};
    struct stat there {};
    if (::fstat(file.value(), &open) != 0) throw_system_error("lock", path, errno);
    if (::lstat(path.c_str(), &there) != 0 || open.st_ino != there.st_ino) continue;  // removed
    if (!file_locked) {
      log::warn("{} cannot be locked: see to it yourself that no other process uses it",
                folder.string());
    }
    if (::ftruncate(file.value(), 0) != 0) throw_system_error("write", path, errno);
    write_all(file.value(), path, this_process());
    file_ = file.release();
    break;
  }
  folder_ = itself.release();
  owned_ = resolved(folder);
  {
    const std::lock_guard lock(owned().mutex);
    owned().folders.insert(owned_);
  }
  remove_stale_files(folder);
}

FolderLock::~FolderLock() { close(); }

void FolderLock::close() {
  if (folder_ < 0) return;
  ::close(std::exchange(folder_, -1));
  ::close(std::exchange(file_, -1));
  const std::lock_guard lock(owned().mutex);
  if (const auto found = owned().folders.find(owned_); found != owned().folders.end())
    owned().folders.erase(found);
}

void FolderLock::leave_to_parent() const {
  ::close(std::exchange(folder_, -1));
  ::close(std::exchange(file_, -1));
}

FolderLock::FolderLock(FolderLock&& other) noexcept
    : folder_(std::exchange(other.folder_, -1)),
      file_(std::exchange(other.file_, -1)),
      owned_(std::move(other.owned_)) {}

FolderLock& FolderLock::operator=(FolderLock&& other) noexcept {
  std::swap(folder_, other.folder_);
  std::swap(file_, other.file_);
  std::swap(owned_, other.owned_);
  return *this;
}

}  // namespace raven
