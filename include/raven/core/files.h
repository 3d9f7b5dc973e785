// Files that are whole or absent, checksums, and folders with one owner.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace raven {

/// Whole content. Throws DataError ("missing") when absent, SystemError when unreadable, DataError
/// ("too-large") beyond `max_bytes`.
std::string read_file(const std::filesystem::path& file, std::uint64_t max_bytes = 1ULL << 32);

/// Replaces `file` in one step: written beside it as `<file>.tmp`, flushed to disk, renamed.
/// Readers see the old content or the new one, never a part. Throws SystemError (disk full,
/// read-only, ...); the old file then stands and the .tmp is gone.
void write_file_atomically(const std::filesystem::path& file, std::string_view content);

/// The same for content made by a library that wants a path: `write` fills the temporary file.
void replace_file(const std::filesystem::path& file,
                  const std::function<void(const std::filesystem::path& temporary)>& write);

/// Flushes a file or folder to disk (fsync). Throws SystemError.
void flush_to_disk(const std::filesystem::path& path);

/// Where the program that runs lies; empty when the system does not tell.
std::filesystem::path program_folder();

/// Creates a folder and its parents. Throws SystemError with the reason.
void make_folders(const std::filesystem::path& folder);

/// xxh3 (64 bit) of bytes, and of a file read in blocks; as 16 hexadecimal digits where text is
/// needed.
std::uint64_t checksum(std::string_view bytes) noexcept;
std::uint64_t checksum_file(const std::filesystem::path& file);
std::string checksum_text(std::uint64_t value);

/// Ownership of a folder by one process, in `<folder>/.lock` (flock; it ends with the process, also
/// when that is killed). Throws ConfigError naming the owner's host, process and start when taken.
class FolderLock {
 public:
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&& other) noexcept;
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace raven
