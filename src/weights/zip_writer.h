// Zip files of stored entries, as torch.save and numpy.savez lay them out.
//
// A writer of our own beside the reader: what is written is what read_zip_directory takes, with
// contents aligned so that they can be mapped, which archive libraries do not offer.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "raven/core/new_file.h"

namespace raven::weights {

/// Entries one after another: begin, write ..., end; then finish. Nothing depends on time or place,
/// so the same entries give the same bytes.
class ZipWriter {
 public:
  static constexpr std::uint64_t kAlignment = 64;  // of contents; PyTorch's

  explicit ZipWriter(NewFile& out) : out_(out) {}

  /// An entry of exactly `size` bytes.
  void begin(const std::string& name, std::uint64_t size);
  void write(std::string_view bytes);
  void end();
  void add(const std::string& name, std::string_view content);
  /// Writes the directory.
  void finish();

 private:
  struct Entry {
    std::string name;
    std::uint64_t size = 0, header = 0;  // of the content; where its header begins
    std::uint32_t crc = 0;
  };

  NewFile& out_;
  std::vector<Entry> entries_;
  std::uint64_t left_ = 0;  // of the open entry
};

}  // namespace raven::weights
