// state.json of a checkpoint.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "raven/train/checkpoint.h"

namespace raven::train {

struct StateFile {
  TrainState state;
  std::map<std::string, std::string> checksums;  // file name -> xxh3
};

/// Throws CheckpointError with file and reason: not JSON, keys missing, another format version, or
/// a checksum of its own that does not fit.
StateFile read_state_file(const std::filesystem::path& file);

/// Writes atomically. Throws SystemError.
void write_state_file(const std::filesystem::path& file, const StateFile& content);

}  // namespace raven::train
