#include "raven/core/new_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <fstream>
#include <mutex>
#include <random>
#include <set>
#include <utility>

#include "core/descriptor.h"
#include "core/owned_folders.h"
#include "raven/core/error.h"
#include "raven/core/files.h"

namespace raven {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kWritebackPiece = 8 << 20;
constexpr std::string_view kMark = ".raven-", kEnding = ".tmp";
constexpr std::size_t kMachineDigits = 8, kDrawnDigits = 8;
constexpr std::size_t kAddedBytes = kMark.size() + kMachineDigits + kDrawnDigits + kEnding.size();
constexpr std::size_t kLongestName = 255;  // NAME_MAX
constexpr int kMostLinks = 40;             // the kernel's own limit
constexpr std::time_t kDay = 24 * 3600;

std::string hexadecimal(std::uint32_t value, int digits) {
  return fmt::format("{:0{}x}", value, digits);
}

/// The machine's name, which outlasts a restart, and the running kernel, which containers share:
/// four digits each.
const std::string& machine() {
  static const std::string text = [] {
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    std::string boot;
    std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
    return hexadecimal(checksum(host.data()) & 0xFFFF, 4) + hexadecimal(checksum(boot) & 0xFFFF, 4);
  }();
  return text;
}

bool is_this_machine(std::string_view digits) {
  return digits.substr(0, 4) == std::string_view(machine()).substr(0, 4) ||
         digits.substr(4) == std::string_view(machine()).substr(4);
}

/// The machine's digits in the name of a new file; empty when the name is none.
std::string_view machine_in(std::string_view name) noexcept {
  if (name.size() <= kAddedBytes || !name.ends_with(kEnding)) return {};
  const auto added = name.substr(name.size() - kAddedBytes);
  if (!added.starts_with(kMark)) return {};
  const auto digits = added.substr(kMark.size(), kMachineDigits + kDrawnDigits);
  if (digits.find_first_not_of("0123456789abcdef") != std::string_view::npos) return {};
  return digits.substr(0, kMachineDigits);
}

fs::path drawn_path(const fs::path& target) {
  static thread_local std::random_device source;
  const auto name = target.filename().string();
  return target.parent_path() /
         fmt::format("{}{}{}{}{}", name.substr(0, kLongestName - kAddedBytes), kMark, machine(),
                     hexadecimal(static_cast<std::uint32_t>(source()), kDrawnDigits), kEnding);
}

/// The path itself, not what a link there leads to, is still the open file.
bool is_at(int descriptor, const fs::path& path) {
  struct stat open {};
  struct stat there {};
  return ::fstat(descriptor, &open) == 0 && ::lstat(path.c_str(), &there) == 0 &&
         open.st_dev == there.st_dev && open.st_ino == there.st_ino;
}

void remove_if_stale(const fs::path& path, std::string_view machine_digits, bool owned) {
  const Descriptor file(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK);
  struct stat status {};
  if (file.value() < 0 || ::fstat(file.value(), &status) != 0 || !S_ISREG(status.st_mode)) return;
  if (::flock(file.value(), LOCK_EX | LOCK_NB) != 0) {
    // Its writer lives. Without locks nobody can tell, but in a folder of one's own there is none.
    if (!owned || !has_no_locks(errno)) return;
  }
  const bool old = ::time(nullptr) - status.st_mtime > kDay;
  if (owned || old || is_this_machine(machine_digits)) ::unlink(path.c_str());
}

/// Once a process and folder.
void remove_stale_files_once(const fs::path& folder) {
  static std::mutex mutex;
  static std::set<fs::path> seen;
  {
    const std::lock_guard lock(mutex);
    if (!seen.insert(folder).second) return;
  }
  remove_stale_files(folder);
}

}  // namespace

bool is_name_of_new_file(std::string_view name) noexcept { return !machine_in(name).empty(); }

void remove_stale_files(const fs::path& folder) {
  const bool owned = is_owned(folder);
  std::error_code ignored;  // what cannot be listed or removed stays
  for (fs::directory_iterator entry(folder, ignored), end; !ignored && entry != end;
       entry.increment(ignored)) {
    const auto name = entry->path().filename().string();
    if (const auto digits = machine_in(name); !digits.empty())
      remove_if_stale(entry->path(), digits, owned);
  }
}

NewFile::NewFile(const fs::path& file) : NewFile() {  // delegates: what fails here is closed
  file_ = target_ = file;
  find_target();
  if (output_ >= 0) {
    open_apart();
  } else {
    remove_stale_files_once(parent_of(target_));
    open_beside();
  }
}

NewFile::~NewFile() {
  if (has_name_) ::unlink(path_.c_str());
  if (descriptor_ >= 0) ::close(descriptor_);
  if (output_ >= 0) ::close(output_);
}

void NewFile::find_target() {
  struct stat status {};
  for (int links = 0;; ++links) {
    status = {};
    if (::lstat(target_.c_str(), &status) != 0) {
      if (errno != ENOENT) fail("create");
      break;
    }
    if (!S_ISLNK(status.st_mode)) break;
    if (const int number = descriptor_at(target_); number >= 0) {
      // Opened anew, a redirected file would be written from its start.
      output_ = ::fcntl(number, F_DUPFD_CLOEXEC, 3);
      if (output_ < 0) fail("open");
      return;
    }
    std::error_code code;
    const auto next = fs::read_symlink(target_, code);
    errno = links == kMostLinks ? ELOOP : code.value();
    if (errno != 0) fail("create");
    target_ = parent_of(target_) / next;
  }
  if (S_ISDIR(status.st_mode)) {
    errno = EISDIR;
    fail("replace");
  }
  if (status.st_mode != 0 && !S_ISREG(status.st_mode)) {
    output_ = ::open(target_.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (output_ < 0) fail("open");
  }
}

void NewFile::open_beside() {
  constexpr int kTries = 100;
  for (int i = 0; i < kTries; ++i) {
    path_ = drawn_path(target_);
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && errno == EEXIST) continue;
    if (descriptor_ < 0) fail("create");
    // The lock says that the writer lives; who looks for stale files holds it for a moment. A file
    // system without locks keeps what was left.
    while (::flock(descriptor_, LOCK_EX) != 0 && errno == EINTR) {
    }
    if (is_at(descriptor_, path_)) {
      has_name_ = true;
      return;
    }
    ::close(std::exchange(descriptor_, -1));  // taken for a stale one just before it was locked
  }
  errno = EEXIST;
  fail("create");
}

void NewFile::open_apart() {
  descriptor_ = open_unnamed_file();
  if (descriptor_ < 0) fail("buffer");
  path_ = fmt::format("/proc/self/fd/{}", descriptor_);
}

void NewFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto done = ::write(descriptor_, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail("write");
    bytes.remove_prefix(static_cast<std::size_t>(done));
    size_ += static_cast<std::uint64_t>(done);
  }
  if (size_ - handed_over_ >= kWritebackPiece) hand_over();
}

void NewFile::hand_over() {
  // Only a hint: where a file system knows no such call, the flush at the end does all of it.
  ::sync_file_range(descriptor_, static_cast<off_t>(handed_over_),
                    static_cast<off_t>(size_ - handed_over_), SYNC_FILE_RANGE_WRITE);
  handed_over_ = size_;
}

void NewFile::replace(std::uint64_t position, std::string_view bytes) {
  RAVEN_CHECK(position <= size_ && bytes.size() <= size_ - position,
              "replaces bytes that were not written");
  while (!bytes.empty()) {
    const auto done =
        ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(position));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail("write");
    bytes.remove_prefix(static_cast<std::size_t>(done));
    position += static_cast<std::uint64_t>(done);
  }
}

void NewFile::flush() {
  if (has_name_ && ::fsync(descriptor_) != 0 && errno != EINVAL && errno != ENOTSUP) fail("flush");
}

void NewFile::commit() {
  RAVEN_CHECK(descriptor_ >= 0, "{} is committed twice", file_.string());
  if (output_ >= 0) {
    copy_to_output();
  } else {
    flush();
    if (!is_at(descriptor_, path_)) {
      throw SystemError(
          fmt::format("cannot replace {}: {} was taken away or exchanged while it was written",
                      file_.string(), path_.string()));
    }
    if (::rename(path_.c_str(), target_.c_str()) != 0) fail("replace");
    has_name_ = false;
    flush_to_disk(parent_of(target_));
  }
  ::close(std::exchange(descriptor_, -1));
}

void NewFile::copy_to_output() {
  std::array<char, 1 << 16> block{};
  off_t position = 0;
  while (true) {
    const auto count = ::pread(descriptor_, block.data(), block.size(), position);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("read");
    if (count == 0) break;
    position += count;
    write_all(output_, file_, {block.data(), static_cast<std::size_t>(count)});
  }
  if (::fsync(output_) != 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS) fail("flush");
  if (::close(std::exchange(output_, -1)) != 0) fail("write");
}

void NewFile::fail(const char* action) const { throw_system_error(action, file_, errno); }

}  // namespace raven
