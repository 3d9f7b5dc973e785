// Looks at folders and tries them; src/doctor/folder.cpp judges.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <utility>
#include <vector>

#include "raven/doctor/folder.h"

namespace raven::doctor {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlock = 8 * kMiB;
constexpr int kFilesToLookAt = 2000;

class OpenFile {
 public:
  explicit OpenFile(int descriptor) : descriptor_(descriptor) {}
  ~OpenFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  [[nodiscard]] int get() const { return descriptor_; }

 private:
  int descriptor_;
};

class Stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

/// A new file without a name: it is gone when it is closed, and when the process is killed. -1 and
/// errno when it cannot be made.
int open_nameless(const fs::path& folder) {
  const int direct = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (direct >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT && errno != EINVAL))
    return direct;
  auto name = (folder / ".raven_doctor_XXXXXX").string();  // NFS and others have none
  const int named = ::mkostemp(name.data(), O_CLOEXEC);
  if (named >= 0) ::unlink(name.c_str());
  return named;
}

/// Bytes that no file system can compress.
std::vector<char> noise_block() {
  std::vector<char> block(kBlock);
  std::uint64_t state = 0x9E3779B97F4A7C15ULL;
  for (std::size_t i = 0; i + sizeof(state) <= block.size(); i += sizeof(state)) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    std::memcpy(block.data() + i, &state, sizeof(state));
  }
  return block;
}

/// Bytes written and flushed; errno in `error` when that fails.
std::uint64_t write_blocks(int file, const FolderTrial& trial, int& error) {
  const auto block = noise_block();
  const Stopwatch watch;
  std::uint64_t done = 0;
  while (done < trial.bytes && (done == 0 || watch.seconds() < trial.seconds)) {
    const auto wanted = std::min<std::uint64_t>(block.size(), trial.bytes - done);
    const auto count = ::write(file, block.data(), wanted);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0 || ::fdatasync(file) != 0) {
      error = count == 0 ? ENOSPC : errno;
      return done;
    }
    done += static_cast<std::uint64_t>(count);
  }
  return done;
}

/// Bytes per second of reading from the disk, as far as the system lets go of what is in memory;
/// nothing when nothing could be read.
std::optional<double> reading_speed(int file, const FolderTrial& trial) {
  ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  if (::lseek(file, 0, SEEK_SET) != 0) return std::nullopt;
  std::vector<char> block(kBlock);
  const Stopwatch watch;
  std::uint64_t done = 0;
  while (done < trial.bytes && (done == 0 || watch.seconds() < trial.seconds)) {
    const auto count = ::read(file, block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    done += static_cast<std::uint64_t>(count);
  }
  if (done == 0) return std::nullopt;
  return static_cast<double>(done) / std::max(watch.seconds(), 1e-9);
}

std::optional<double> clock_ahead(int file) {
  struct stat status {};
  if (::fstat(file, &status) != 0) return std::nullopt;
  const auto now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  return static_cast<double>(status.st_mtim.tv_sec) +
         1e-9 * static_cast<double>(status.st_mtim.tv_nsec) - now;
}

const char* file_system_name(const fs::path& folder) {
  struct statfs status {};
  if (::statfs(folder.c_str(), &status) != 0) return "";
  constexpr std::pair<unsigned long, const char*> kNames[] = {
      {0xEF53, "ext4"},         {0x58465342, "xfs"},     {0x9123683E, "btrfs"},
      {0x01021994, "tmpfs"},    {0x6969, "nfs"},         {0x794C7630, "overlay"},
      {0x2FC12FC1, "zfs"},      {0x0BD00BD0, "lustre"},  {0x47504653, "gpfs"},
      {0x19830326, "beegfs"},   {0x00C36400, "ceph"},    {0xFF534D42, "cifs"},
      {0xFE534D42, "smb2"},     {0x65735546, "fuse"},    {0x01021997, "9p"},
      {0x6A656A63, "virtiofs"}, {0xF2F52010, "f2fs"},    {0x5346544E, "ntfs"},
      {0x858458F6, "ramfs"},    {0x73717368, "squashfs"}};
  for (const auto& [magic, name] : kNames) {
    if (static_cast<unsigned long>(status.f_type) == magic) return name;
  }
  return "";
}

/// The largest regular file among the first that a walk through the folder meets.
fs::path largest_file(const fs::path& folder) {
  fs::path largest;
  std::uintmax_t most = 0;
  std::error_code error;
  int seen = 0;
  for (fs::recursive_directory_iterator
           entry(folder, fs::directory_options::skip_permission_denied, error),
       end;
       !error && entry != end && seen < kFilesToLookAt; entry.increment(error), ++seen) {
    std::error_code unknown;
    if (!entry->is_regular_file(unknown) || unknown) continue;
    const auto size = entry->file_size(unknown);
    if (unknown || size <= most) continue;
    most = size;
    largest = entry->path();
  }
  return largest;
}

}  // namespace

Folder read_folder(const fs::path& asked) {
  Folder folder{.asked = asked};
  std::error_code error;
  auto present = fs::absolute(asked, error).lexically_normal();
  if (!present.has_filename()) present = present.parent_path();
  folder.exists = fs::is_directory(present, error);
  while (true) {
    const auto status = fs::status(present, error);
    if (fs::is_directory(status)) break;
    if (status.type() != fs::file_type::not_found && folder.obstacle.empty()) {
      folder.obstacle = fs::exists(status) ? present.string() + " is no folder"
                                           : present.string() + ": " + error.message();
    }
    if (!present.has_relative_path()) break;
    present = present.parent_path();
  }
  folder.present = present;
  folder.file_system = file_system_name(present);
  struct statvfs space {};
  if (::statvfs(present.c_str(), &space) == 0) {
    folder.total_bytes = space.f_blocks * space.f_frsize;
    folder.free_bytes = space.f_bavail * space.f_frsize;
    if (space.f_files > 0) folder.free_files = space.f_favail;
  }
  return folder;
}

Folder try_runs_folder(const fs::path& asked, const FolderTrial& trial) {
  auto folder = read_folder(asked);
  const OpenFile file(open_nameless(folder.present));
  if (file.get() < 0) {
    folder.write_error = errno;
    return folder;
  }
  const Stopwatch watch;
  const auto written = write_blocks(file.get(), trial, folder.write_error);
  if (folder.write_error != 0) return folder;
  folder.write_speed = static_cast<double>(written) / std::max(watch.seconds(), 1e-9);
  folder.clock_ahead_s = clock_ahead(file.get());
  folder.read_speed = reading_speed(file.get(), trial);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) folder.lock_error = errno;
  return folder;
}

Folder try_data_folder(const fs::path& asked, const FolderTrial& trial) {
  auto folder = read_folder(asked);
  if (!folder.exists) return folder;
  const auto largest = largest_file(folder.present);
  if (largest.empty()) return folder;
  const OpenFile file(::open(largest.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) {
    folder.obstacle = largest.string() + ": " + std::strerror(errno);
  } else {
    folder.read_speed = reading_speed(file.get(), trial);
  }
  return folder;
}

}  // namespace raven::doctor
