// A file that is being written: what the writers of this layer write to, inside replace_file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace raven::weights {

/// Every member throws SystemError with the file, and with a hint when the disk is full.
class NewFile {
 public:
  explicit NewFile(const std::filesystem::path& file);
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void write(std::string_view bytes);
  /// Over what was written there before.
  void replace(std::uint64_t position, std::string_view bytes);
  /// Bytes written so far.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  void close();

 private:
  /// Lets the disk begin with what was written, so that the flush at the end finds little to do.
  void hand_over();
  [[noreturn]] void fail(const char* action) const;

  std::string name_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
  std::uint64_t handed_over_ = 0;
};

}  // namespace raven::weights
