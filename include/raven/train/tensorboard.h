// TensorBoard event files: scalars as length-prefixed, checksummed protobuf messages.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace raven::train {

/// Appends scalars to one event file, `events.out.tfevents.<number>.<host>.<process>`. TensorBoard
/// reads a folder's files in the order of their names. The number is the time (seconds and
/// microseconds), and always more than those of the files that are there: steps stay in order
/// whatever the clock of this machine or of another one says.
class EventWriter {
 public:
  /// `forget_from`: the run went back; TensorBoard forgets what older files of the folder say of
  /// this step and of later ones. 0 for a new run. Throws SystemError.
  EventWriter(const std::filesystem::path& folder, std::int64_t forget_from);
  ~EventWriter();
  EventWriter(const EventWriter&) = delete;
  EventWriter& operator=(const EventWriter&) = delete;

  /// Throws SystemError when the disk is full.
  void write(std::int64_t step, const std::map<std::string, double>& scalars);
  /// Everything written so far, and the file's name, is on disk afterwards. Throws SystemError.
  void flush();

  [[nodiscard]] const std::filesystem::path& file() const { return file_; }

 private:
  void append(const std::string& event);
  [[noreturn]] void fail(const char* action) const;

  std::filesystem::path file_;
  int out_ = -1;
};

/// CRC-32C (Castagnoli) and its masked form, which the record format stores.
std::uint32_t crc32c(const std::string& bytes);
std::uint32_t masked_crc32c(const std::string& bytes);

}  // namespace raven::train
