// A file descriptor that closes itself, and what core's own files do with them.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <span>
#include <string_view>
#include <utility>

namespace raven {

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(const std::filesystem::path& path, int flags, mode_t mode = 0666)
      : value_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~Descriptor() {
    if (value_ >= 0) ::close(value_);
  }
  Descriptor(Descriptor&& other) noexcept : value_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }

  [[nodiscard]] int value() const { return value_; }
  [[nodiscard]] int release() { return std::exchange(value_, -1); }

 private:
  int value_;
};

/// "." for a name without a folder.
std::filesystem::path parent_of(const std::filesystem::path& file);

/// Throws SystemError, and DataError for a pipe or device, for whose writer nobody waits.
Descriptor open_regular_file(const std::filesystem::path& file);

/// Bytes read, 0 at the end. Throws SystemError.
std::size_t read_some(int descriptor, const std::filesystem::path& file, std::span<char> block);

/// N when `path` itself is /proc/<this process>/fd/N, as what /dev/stdout leads to is; -1
/// otherwise.
int descriptor_at(const std::filesystem::path& path);

/// A file without a name, to write and read. -1 with errno where none can be made.
int open_unnamed_file();

/// Throws SystemError naming `path`.
void write_all(int descriptor, const std::filesystem::path& path, std::string_view content);

}  // namespace raven
