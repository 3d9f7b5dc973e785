// What has been recognised of a long file so far, on disk, so that a killed run goes on from there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "raven/transcription/sound_cutter.h"
#include "raven/transcription/transcript.h"

namespace raven::transcription {

/// The first line says what the passages depend on, then comes a line for each.
class PartFile {
 public:
  /// Keeps what is there of the same `identity`, up to the first damaged line. Throws SystemError.
  PartFile(std::filesystem::path file, const std::string& identity);

  [[nodiscard]] std::optional<Passage> find(config::Modality modality, const Cut& cut) const;
  /// Throws SystemError when the disk refuses.
  void add(config::Modality modality, const Cut& cut, const Passage& passage);
  /// It is not needed any more.
  void remove();

 private:
  using Key = std::tuple<config::Modality, std::int64_t, std::int64_t>;

  void append(const std::string& line);

  std::filesystem::path path_;
  std::map<Key, Passage> known_;
  std::string kept_;
  std::ofstream out_;
};

}  // namespace raven::transcription
