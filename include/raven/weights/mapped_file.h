// A file as memory: mapped, so that only what is looked at is read.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace raven::weights {

/// Copy-on-write: what is written to the mapping stays in memory and never reaches the file.
/// Another process that cuts the file short while it is mapped ends this one (SIGBUS), as with
/// every mapping; replacing the file by a rename, as raven does, is safe.
class MappedFile {
 public:
  /// Throws CheckpointError for a missing file and for anything but a regular one, SystemError when
  /// it cannot be read or mapped.
  explicit MappedFile(const std::filesystem::path& file);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  /// As it was given, for messages.
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string_view bytes() const { return {data_, size_}; }
  [[nodiscard]] char* data() const { return data_; }
  /// Gives back the memory of the pages that lie wholly in this part; they are read again when they
  /// are used. Changes made there are lost. Does nothing for memory outside this mapping.
  void forget(const void* part, std::size_t size) const;
  /// Copies without touching the mapping: the pages are not counted as ours.
  void copy(std::uint64_t from, std::uint64_t count, char* to) const;
  /// Calls `use` with the file's bytes from front to back, in blocks, without touching the mapping.
  void each_block(const std::function<void(std::string_view block)>& use) const;
  /// As checksum_file() of the file that was opened, whatever its path leads to by now.
  [[nodiscard]] std::uint64_t checksum() const;

 private:
  std::string name_;
  int descriptor_ = -1;
  char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace raven::weights
