// state.json of a checkpoint.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "raven/artifacts/checkpoint.h"

namespace raven::artifacts {

struct StateFile {
  TrainState state;
  std::map<std::string, std::string> checksums;  // file name -> xxh3
};

/// Throws CheckpointError with file and reason: not JSON, keys missing or with impossible values,
/// another format version, or a checksum of its own that does not fit.
StateFile read_state_file(const std::filesystem::path& file);

/// The same for the file's content; `name` begins messages.
StateFile parse_state(std::string_view content, const std::string& name);

/// A JSON object with the checksum that belongs to it. Throws CheckpointError for other texts.
std::string with_checksum(std::string_view content);

/// Writes atomically. Throws SystemError.
void write_state_file(const std::filesystem::path& file, const StateFile& content);

}  // namespace raven::artifacts
