#include "raven/core/files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

#include "core/descriptor.h"
#include "raven/core/error.h"
#include "raven/core/new_file.h"

namespace raven {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse_kind(const fs::path& file) {
  throw DataError(fmt::format("{}: is a pipe or device, expected a regular file", file.string()),
                  "missing");
}

/// To read from. Does not wait for the writer of a pipe, unless the user has named it.
Descriptor open_to_read(const fs::path& file, FileKind kind) {
  const bool any = kind == FileKind::kAny;
  Descriptor in(file, O_RDONLY | O_NOCTTY | (any ? 0 : O_NONBLOCK));
  if (in.value() < 0 && !any && (errno == ENXIO || errno == ENODEV)) refuse_kind(file);  // a socket
  return in;
}

/// Where /dev/stdin, /dev/fd/N or a link to one of them leads, the descriptor itself is duplicated:
/// a socket there cannot be opened anew. Empty for another file.
Descriptor duplicate_of(fs::path file) {
  constexpr int kMostLinks = 40;  // the kernel's own limit
  std::error_code code;
  for (int links = 0; links < kMostLinks && fs::is_symlink(fs::symlink_status(file, code));
       ++links) {
    if (const int number = descriptor_at(file); number >= 0)
      return Descriptor(::fcntl(number, F_DUPFD_CLOEXEC, 3));
    const auto next = fs::read_symlink(file, code);
    if (code) break;
    file = parent_of(file) / next;
  }
  return Descriptor(-1);
}

}  // namespace

Descriptor open_regular_file(const fs::path& file) {
  auto in = open_to_read(file, FileKind::kRegular);
  if (in.value() < 0) throw_system_error("open", file, errno);
  struct stat status {};
  if (::fstat(in.value(), &status) != 0) throw_system_error("read", file, errno);
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) refuse_kind(file);
  return in;
}

std::size_t read_some(int descriptor, const fs::path& file, std::span<char> block) {
  while (true) {
    const auto count = ::read(descriptor, block.data(), block.size());
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) throw_system_error("read", file, errno);
  }
}

int descriptor_at(const fs::path& path) {
  std::error_code error;
  const auto folder = fs::canonical(parent_of(path), error);
  if (error || folder != fmt::format("/proc/{}/fd", ::getpid())) return -1;
  const auto name = path.filename().string();
  int number = -1;
  const auto [end, code] = std::from_chars(name.data(), name.data() + name.size(), number);
  return code == std::errc() && end == name.data() + name.size() ? number : -1;
}

int open_unnamed_file() {
  std::error_code code;
  const auto folder = fs::temp_directory_path(code);
  errno = code.value();
  if (code) return -1;
  const int file = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file >= 0) return file;
  auto name = (folder / "raven-XXXXXX").string();  // some file systems have no such files
  const int named = ::mkostemp(name.data(), O_CLOEXEC);
  if (named >= 0) ::unlink(name.c_str());
  return named;
}

GivenFile::GivenFile(const fs::path& file) : path_(file) {
  std::error_code ignored;
  const auto type = fs::status(file, ignored).type();
  const bool is_stream = type == fs::file_type::fifo || type == fs::file_type::character ||
                         type == fs::file_type::socket;
  if (!is_stream) return;
  auto in = duplicate_of(file);
  if (in.value() < 0) in = Descriptor(file, O_RDONLY | O_NOCTTY);
  if (in.value() < 0) throw_system_error("open", file, errno);
  Descriptor copy(open_unnamed_file());
  if (copy.value() < 0) throw_system_error("copy", file, errno);
  path_ = fmt::format("/proc/self/fd/{}", copy.value());
  std::vector<char> block(1 << 20);
  while (const auto count = read_some(in.value(), file, block))
    write_all(copy.value(), file, {block.data(), count});
  copy_ = copy.release();
}

GivenFile::~GivenFile() {
  if (copy_ >= 0) ::close(copy_);
}

void throw_system_error(const char* action, const fs::path& path, int code) {
  const char* hint = "";
  if (code == ENOSPC || code == EDQUOT) hint = "; free some space and run again";
  if (code == EROFS || code == EACCES || code == EPERM)
    hint = "; choose a folder that you may write to";
  if (code == EFBIG) hint = "; raise the limit on the size of files (ulimit -f)";
  throw SystemError(
      fmt::format("cannot {} {}: {}{}", action, path.string(), std::strerror(code), hint));
}

fs::path parent_of(const fs::path& file) {
  const auto parent = file.parent_path();
  return parent.empty() ? fs::path(".") : parent;
}

void write_all(int descriptor, const fs::path& path, std::string_view content) {
  while (!content.empty()) {
    const auto written = ::write(descriptor, content.data(), content.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      throw_system_error("write", path, errno);
    }
    content.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::string read_file(const fs::path& file, std::uint64_t max_bytes, FileKind kind) {
  const auto in = open_to_read(file, kind);
  if (in.value() < 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      throw DataError(fmt::format("{}: no such file", file.string()), "missing");
    }
    throw_system_error("open", file, errno);
  }
  struct stat status {};
  if (::fstat(in.value(), &status) != 0) throw_system_error("read", file, errno);
  if (S_ISDIR(status.st_mode)) {
    throw DataError(fmt::format("{}: is a folder, expected a file", file.string()), "missing");
  }
  if (kind == FileKind::kRegular && !S_ISREG(status.st_mode)) refuse_kind(file);
  if (static_cast<std::uint64_t>(status.st_size) > max_bytes) {
    throw DataError(fmt::format("{}: {} bytes, more than the {} allowed", file.string(),
                                status.st_size, max_bytes),
                    "too-large");
  }
  std::string content;
  content.reserve(static_cast<std::size_t>(status.st_size));
  std::array<char, 1 << 16> block{};
  while (true) {
    const auto count = read_some(in.value(), file, block);
    if (count == 0) return content;
    content.append(block.data(), count);
    if (content.size() > max_bytes) {  // pipes and growing files have no honest size
      throw DataError(fmt::format("{}: more than the {} bytes allowed", file.string(), max_bytes),
                      "too-large");
    }
  }
}

void rename_or_throw(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) {
    throw SystemError(
        fmt::format("cannot rename {} to {}: {}", from.string(), to.string(), error.message()));
  }
}

void flush_to_disk(const fs::path& path) {
  const Descriptor file(path, O_RDONLY | O_NONBLOCK);
  // A folder that may be written to but not listed cannot be flushed either.
  if (file.value() < 0 && errno == EACCES && fs::is_directory(path)) return;
  if (file.value() < 0) throw_system_error("open", path, errno);
  if (::fsync(file.value()) != 0 && errno != EINVAL && errno != ENOTSUP) {
    throw_system_error("flush", path, errno);
  }
}

void replace_file(const fs::path& file, const std::function<void(const fs::path&)>& write) {
  NewFile out(file);
  write(out.path());
  out.commit();
}

void write_file_atomically(const fs::path& file, std::string_view content) {
  NewFile out(file);
  out.write(content);
  out.commit();
}

fs::path program_folder() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
}

void make_folders(const fs::path& folder) {
  if (folder.empty()) throw_system_error("create folder", folder, ENOENT);
  const auto whole = folder.has_filename() ? folder : folder.parent_path();  // without a last '/'
  struct stat status {};
  if (::stat(whole.c_str(), &status) == 0) {
    if (!S_ISDIR(status.st_mode)) throw_system_error("create folder", folder, ENOTDIR);
    return;
  }
  if (errno != ENOENT) throw_system_error("create folder", folder, errno);
  if (whole.has_parent_path()) make_folders(whole.parent_path());
  if (::mkdir(whole.c_str(), 0777) != 0) {
    const int code = errno;
    if (code != EEXIST || !fs::is_directory(whole))
      throw_system_error("create folder", folder, code);
    return;  // by another process, just now
  }
  flush_to_disk(parent_of(whole));
}

std::uint64_t checksum(std::string_view bytes) noexcept {
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::uint64_t checksum_file(const fs::path& file) {
  const auto in = open_regular_file(file);
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(),
                                                                       &XXH3_freeState);
  RAVEN_CHECK(state != nullptr, "out of memory");
  XXH3_64bits_reset(state.get());
  std::vector<char> block(1 << 20);
  while (const auto count = read_some(in.value(), file, block))
    XXH3_64bits_update(state.get(), block.data(), count);
  return XXH3_64bits_digest(state.get());
}

std::string checksum_text(std::uint64_t value) { return fmt::format("{:016x}", value); }

}  // namespace raven
