// Files that are whole or absent, and checksums.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace raven {

enum class FileKind {
  kRegular,  // what lies among data: a pipe there would be waited for in vain
  kAny,      // what the user has named: `raven score <(zcat ref.gz) hyp`, `--config /dev/stdin`
};

inline constexpr std::uint64_t kMaxFileBytesByDefault = 1ULL << 32;

/// Whole content. Throws DataError ("missing") when absent or of another kind than `kind` allows,
/// SystemError when unreadable, DataError ("too-large") beyond `max_bytes`.
std::string read_file(const std::filesystem::path& file,
                      std::uint64_t max_bytes = kMaxFileBytesByDefault,
                      FileKind kind = FileKind::kRegular);

/// A file that the user has named and that is read at several places, or more than once: what comes
/// through a pipe, or a socket as standard input, is copied first, to a file without a name. Throws
/// SystemError.
class GivenFile {
 public:
  explicit GivenFile(const std::filesystem::path& file);
  ~GivenFile();
  GivenFile(const GivenFile&) = delete;
  GivenFile& operator=(const GivenFile&) = delete;

  /// Where it can be read for as long as this object lives.
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int copy_ = -1;
};

/// Replaces `file` in one step, as NewFile (new_file.h) does: readers see the old content or the
/// new one, never a part. Throws SystemError (disk full, read-only, ...); the old file then stands
/// and nothing is left beside it.
void write_file_atomically(const std::filesystem::path& file, std::string_view content);

/// The same for content made by a library that wants a path: `write` empties and fills the file at
/// `temporary`.
void replace_file(const std::filesystem::path& file,
                  const std::function<void(const std::filesystem::path& temporary)>& write);

/// rename(2). Throws SystemError.
void rename_or_throw(const std::filesystem::path& from, const std::filesystem::path& to);

/// Flushes a file or folder to disk (fsync). Throws SystemError.
void flush_to_disk(const std::filesystem::path& path);

/// Where the program that runs lies; empty when the system does not tell.
std::filesystem::path program_folder();

/// Creates a folder and its parents, and flushes what they were made in. Throws SystemError.
void make_folders(const std::filesystem::path& folder);

/// xxh3 (64 bit) of bytes, and of a file read in blocks; as 16 hexadecimal digits where text is
/// needed.
std::uint64_t checksum(std::string_view bytes) noexcept;
std::uint64_t checksum_file(const std::filesystem::path& file);
std::string checksum_text(std::uint64_t value);

/// Throws SystemError "cannot <action> <path>: <reason>" for an errno, with a hint where one helps.
[[noreturn]] void throw_system_error(const char* action, const std::filesystem::path& path,
                                     int code);

}  // namespace raven
