// The folder of one checkpoint: its names, its files, and whether it is whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "artifacts/state_file.h"
#include "raven/weights/mapped_file.h"

namespace raven::artifacts {

/// "step_00012000".
std::string name_of(std::int64_t step);

/// The step in name_of(step) + `ending`; empty for any other name.
std::optional<std::int64_t> step_of(std::string_view name, std::string_view ending = "");

/// Of the folders in `folder` that have such names, ascending; none where it cannot be read.
std::vector<std::int64_t> steps_in(const std::filesystem::path& folder);

/// Something has this name, be it a link that leads to nothing.
bool is_there(const std::filesystem::path& path);

/// What is at the end of all links; `path` itself where there is nothing.
std::filesystem::path without_links(const std::filesystem::path& path);

/// The files of a checkpoint, open and verified: what is read from them later are the bytes that
/// were hashed.
struct OpenFiles {
  std::filesystem::path folder;
  StateFile state;
  std::shared_ptr<weights::MappedFile> model, optimizer;
};

/// All are open before one is hashed, which takes long: from there on the folder may go. Throws
/// CheckpointError naming the file and what is wrong with it, SystemError when it cannot be read.
OpenFiles open_verified(const std::filesystem::path& folder);

/// Throws CheckpointError when the state is of another step.
void check_step(const OpenFiles& files, std::int64_t step);

/// Both, for the folder of a step under whatever name it has at the moment. Keeps nothing open.
StateFile verify_step(const std::filesystem::path& folder, std::int64_t step);

/// verify_step() does not throw.
bool is_whole_step(const std::filesystem::path& folder, std::int64_t step);

}  // namespace raven::artifacts
