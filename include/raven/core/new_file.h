// A file that is being written: the one way in which raven makes files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace raven {

/// What becomes `file` in one step: written beside it under a name of its own, flushed to disk,
/// renamed. Readers see the old content or the new one, never a part; of two writers the last one
/// wins, whole. Where `file` is a link, what it leads to is replaced; a pipe, a device and
/// /dev/stdout are written to, by commit().
///
/// Every member throws SystemError with the file, and with a hint when the disk is full; the old
/// file then stands and nothing is left beside it.
class NewFile {
 public:
  explicit NewFile(const std::filesystem::path& file);
  /// Without commit() before, nothing has happened.
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void write(std::string_view bytes);
  /// Over what was written there before.
  void replace(std::uint64_t position, std::string_view bytes);
  /// Bytes written by write().
  [[nodiscard]] std::uint64_t size() const { return size_; }

  /// Where it is written, for a library that wants a path: it may empty this file and fill it.
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  /// To the disk, the old file still in place. commit() does it as well.
  void flush();
  /// Puts it in place. Should the folder's own flush fail after that, this throws and the new
  /// content stands.
  void commit();

 private:
  NewFile() = default;
  void find_target();
  void open_beside();
  void open_apart();
  void copy_to_output();
  /// Lets the disk begin with what was written, so that the flush at the end finds little to do.
  void hand_over();
  [[noreturn]] void fail(const char* action) const;

  std::filesystem::path file_;    // as given
  std::filesystem::path target_;  // what is replaced: `file_` with its links resolved
  std::filesystem::path path_;
  int descriptor_ = -1;
  int output_ = -1;  // of a pipe or device, which is written to in the end
  bool has_name_ = false;
  std::uint64_t size_ = 0;
  std::uint64_t handed_over_ = 0;
};

/// Removes from a folder what writers that are gone have left of new files: a writer keeps its
/// file locked for as long as it lives. In a folder that this process owns (FolderLock), and below
/// it, all of them; elsewhere those of this machine and those that are a day old, since not every
/// network file system tells of the locks of others. Happens by itself before the first new file
/// in a folder.
void remove_stale_files(const std::filesystem::path& folder);

/// The name is one that NewFile gives to what it writes.
bool is_name_of_new_file(std::string_view name) noexcept;

}  // namespace raven
