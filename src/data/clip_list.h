// Which clips of a corpus are taken, by a list of names: those in English, those of a published
// experiment.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <unordered_map>
#include <vector>

#include "raven/corpus/source_clip.h"

namespace raven::data {

/// A text file, one name a line: the first word of it, so that tables with a tab or a comma will
/// do; empty lines, # and what follows it, and a first line that begins with id, path, video or
/// file are passed over. A name is a part of a clip's path, whole folders and perhaps the file's
/// name with or without ending: `dev/mp4/id00012/21Uxsk56VDQ/00001.mp4`,
/// `id00012/21Uxsk56VDQ/00001`, `id00012/21Uxsk56VDQ` (all clips in there). Folders before those
/// that a clip's id has may be other ones.
class ClipList {
 public:
  /// Throws ConfigError when the file names nothing, DataError ("missing") when it is not there.
  explicit ClipList(const std::filesystem::path& file);

  /// Takes out the clips that it does not name. Throws ConfigError when none is left.
  void keep_named(std::vector<corpus::SourceClip>& clips);

  [[nodiscard]] std::int64_t num_names() const { return std::ssize(names_); }
  /// As they stand in the file: names of which no clip was there.
  [[nodiscard]] std::vector<std::string> missing() const;

 private:
  /// Whether a name is a run of these parts.
  bool find(const std::vector<std::string>& parts);
  /// Whether a name ends in these folders and name, whatever stands before.
  bool find_end(const std::string& end);

  std::filesystem::path file_;
  struct Name {
    std::string written;
    bool found = false;
  };
  std::vector<Name> names_;
  std::unordered_map<std::string, std::size_t> by_parts_;  // "id1/xyz/00001" -> its name
  std::unordered_map<std::string, std::vector<std::size_t>> by_end_;
};

}  // namespace raven::data
