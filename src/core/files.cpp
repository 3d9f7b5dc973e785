#include "raven/core/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <utility>

#include "raven/core/error.h"
#include "raven/core/log.h"

namespace raven {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void system_error(const char* action, const fs::path& path, int code) {
  const char* hint = code == ENOSPC || code == EDQUOT ? "; free some space and run again"
                     : code == EROFS || code == EACCES || code == EPERM
                         ? "; choose a folder that you may write to"
                         : "";
  throw SystemError(
      fmt::format("cannot {} {}: {}{}", action, path.string(), std::strerror(code), hint));
}

class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags, mode_t mode = 0644)
      : value_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  [[nodiscard]] int value() const { return value_; }
  [[nodiscard]] int release() { return std::exchange(value_, -1); }
  int close() { return value_ >= 0 ? ::close(std::exchange(value_, -1)) : 0; }

 private:
  int value_;
};

fs::path parent_of(const fs::path& file) {
  const auto parent = file.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

void write_all(const Descriptor& file, const fs::path& path, std::string_view content) {
  while (!content.empty()) {
    const auto written = ::write(file.value(), content.data(), content.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      system_error("write", path, errno);
    }
    content.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

std::string read_file(const fs::path& file, std::uint64_t max_bytes) {
  const Descriptor in(file, O_RDONLY);
  if (in.value() < 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      throw DataError(fmt::format("{}: no such file", file.string()), "missing");
    }
    system_error("open", file, errno);
  }
  struct stat status {};
  if (::fstat(in.value(), &status) != 0) system_error("read", file, errno);
  if (S_ISDIR(status.st_mode)) {
    throw DataError(fmt::format("{}: is a folder, expected a file", file.string()), "missing");
  }
  if (static_cast<std::uint64_t>(status.st_size) > max_bytes) {
    throw DataError(fmt::format("{}: {} bytes, more than the {} allowed", file.string(),
                                status.st_size, max_bytes),
                    "too-large");
  }
  std::string content;
  content.reserve(static_cast<std::size_t>(status.st_size));
  std::array<char, 1 << 16> block{};
  while (true) {
    const auto count = ::read(in.value(), block.data(), block.size());
    if (count == 0) return content;
    if (count < 0) {
      if (errno == EINTR) continue;
      system_error("read", file, errno);
    }
    content.append(block.data(), static_cast<std::size_t>(count));
    if (content.size() > max_bytes) {  // pipes and growing files have no honest size
      throw DataError(fmt::format("{}: more than the {} bytes allowed", file.string(), max_bytes),
                      "too-large");
    }
  }
}

void flush_to_disk(const fs::path& path) {
  const Descriptor file(path, O_RDONLY);
  if (file.value() < 0) system_error("open", path, errno);
  if (::fsync(file.value()) != 0 && errno != EINVAL && errno != ENOTSUP) {
    system_error("flush", path, errno);
  }
}

void replace_file(const fs::path& file, const std::function<void(const fs::path&)>& write) {
  auto temporary = file;
  temporary += ".tmp";
  try {
    write(temporary);
    flush_to_disk(temporary);
    if (::rename(temporary.c_str(), file.c_str()) != 0) system_error("replace", file, errno);
    flush_to_disk(parent_of(file));
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

void write_file_atomically(const fs::path& file, std::string_view content) {
  replace_file(file, [&](const fs::path& temporary) {
    Descriptor out(temporary, O_WRONLY | O_CREAT | O_TRUNC);
    if (out.value() < 0) system_error("create", temporary, errno);
    write_all(out, temporary, content);
    if (out.close() != 0) system_error("write", temporary, errno);
  });
}

fs::path program_folder() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
}

void make_folders(const fs::path& folder) {
  std::error_code code;
  fs::create_directories(folder, code);
  if (code) system_error("create folder", folder, code.value());
}

std::uint64_t checksum(std::string_view bytes) noexcept {
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::uint64_t checksum_file(const fs::path& file) {
  const Descriptor in(file, O_RDONLY);
  if (in.value() < 0) system_error("open", file, errno);
  XXH3_state_t* state = XXH3_createState();
  RAVEN_CHECK(state != nullptr, "out of memory");
  XXH3_64bits_reset(state);
  std::vector<char> block(1 << 20);
  while (true) {
    const auto count = ::read(in.value(), block.data(), block.size());
    if (count == 0) break;
    if (count < 0) {
      if (errno == EINTR) continue;
      const int code = errno;
      XXH3_freeState(state);
      system_error("read", file, code);
    }
    XXH3_64bits_update(state, block.data(), static_cast<std::size_t>(count));
  }
  const auto value = XXH3_64bits_digest(state);
  XXH3_freeState(state);
  return value;
}

std::string checksum_text(std::uint64_t value) { return fmt::format("{:016x}", value); }

FolderLock::FolderLock(const fs::path& folder) {
  const auto has_no_locks = [&](int code) {  // some network file systems
    if (code != ENOSYS && code != ENOLCK && code != EOPNOTSUPP) return false;
    log::warn("{} cannot be locked ({}): see to it yourself that no other process uses it",
              folder.string(), std::strerror(code));
    return true;
  };
  const auto path = folder / ".lock";
  Descriptor file(path, O_RDWR | O_CREAT);
  if (file.value() < 0) system_error("lock", path, errno);
  if (::flock(file.value(), LOCK_EX | LOCK_NB) != 0 && !has_no_locks(errno)) {
    if (errno != EWOULDBLOCK) system_error("lock", path, errno);
    std::array<char, 512> owner{};
    const auto count = ::read(file.value(), owner.data(), owner.size() - 1);
    throw ConfigError(fmt::format(
        "{} is in use by {}; wait for it, stop it, or choose another folder", folder.string(),
        count > 0 ? std::string(owner.data()) : std::string("another process")));
  }
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 32> since{};
  std::strftime(since.data(), since.size(), "%Y-%m-%d %H:%M:%S", &utc);
  const auto owner =
      fmt::format("process {} on {} since {} UTC", ::getpid(), host.data(), since.data());
  if (::ftruncate(file.value(), 0) != 0) system_error("write", path, errno);
  write_all(file, path, owner);
  descriptor_ = file.release();
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

FolderLock::FolderLock(FolderLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

FolderLock& FolderLock::operator=(FolderLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

}  // namespace raven
