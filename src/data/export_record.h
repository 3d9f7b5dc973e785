// What an export has written so far: exported.tsv.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>

namespace raven::data {

/// A clip's files and what they were made from.
struct ExportedClip {
  std::int64_t frames = 0;
  std::uint64_t video_bytes = 0, audio_bytes = 0;  // of the files; 0: there is none
  std::string video, audio;                        // sources, as text for people
};

/// Rows are added one by one; a row counts when its line is whole and its files have the listed
/// sizes.
class ExportRecord {
 public:
  static constexpr const char* kFile = "exported.tsv";

  /// Reads the folder's. Throws SystemError.
  explicit ExportRecord(std::filesystem::path folder);

  /// `name`: path of the clip's files below the folder, without ending. Null when there is none.
  [[nodiscard]] const ExportedClip* find(const std::string& name) const;
  void add(const std::string& name, const ExportedClip& clip);

 private:
  [[nodiscard]] bool files_are_there(const std::string& name, const ExportedClip& clip) const;

  std::filesystem::path folder_;
  std::map<std::string, ExportedClip> clips_;
  std::ofstream out_;
};

}  // namespace raven::data
