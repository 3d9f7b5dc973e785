// TensorBoard event files: scalars as length-prefixed, checksummed protobuf messages.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace raven::train {

/// Appends scalars to one event file, `events.out.tfevents.<time>.<host>.<process>`.
class EventWriter {
 public:
  /// `restart_step`: the run went back to that step; TensorBoard then forgets what older files of
  /// the folder say of later steps. 0 for a new run. Throws SystemError.
  EventWriter(const std::filesystem::path& folder, std::int64_t restart_step);

  /// Throws SystemError when the disk is full.
  void write(std::int64_t step, const std::map<std::string, double>& scalars);

  [[nodiscard]] const std::filesystem::path& file() const { return file_; }

 private:
  void append(const std::string& event);

  std::filesystem::path file_;
  std::ofstream out_;
};

/// CRC-32C (Castagnoli) and its masked form, which the record format stores.
std::uint32_t crc32c(const std::string& bytes);
std::uint32_t masked_crc32c(const std::string& bytes);

}  // namespace raven::train
