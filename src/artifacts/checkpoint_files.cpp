#include "artifacts/checkpoint_files.h"

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "raven/core/error.h"
#include "raven/core/files.h"

namespace raven::artifacts {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "step_";

StateFile read_state(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    if (error && error.value() != ENOENT && error.value() != ENOTDIR) {
      throw SystemError(fmt::format("cannot read {}: {}", folder.string(), error.message()));
    }
    if (folder.filename() == kLast) {
      throw CheckpointError(
          fmt::format("{}: holds no checkpoint yet; a run saves its first one "
                      "after checkpoint.every steps, or when it is stopped",
                      folder.parent_path().string()));
    }
    throw CheckpointError(fmt::format("{}: no such checkpoint folder", folder.string()));
  }
  std::error_code unknown;  // is said where the file is read
  if (fs::symlink_status(folder / kStateFile, unknown).type() == fs::file_type::not_found) {
    throw CheckpointError(fmt::format(
        "{}: is no checkpoint, nor a run that has saved one: there is neither {} nor {}/ in it",
        folder.string(), kStateFile, kCheckpoints));
  }
  try {
    return read_state_file(folder / kStateFile);
  } catch (const DataError& error) {
    throw CheckpointError(error.what());
  }
}

void compare(const weights::MappedFile& opened, const char* name, const StateFile& state) {
  const auto expected = state.checksums.find(name);
  if (expected == state.checksums.end()) {
    throw CheckpointError(
        fmt::format("{}: {} lists no checksum for it", opened.name(), kStateFile));
  }
  const auto found = checksum_text(opened.checksum());
  if (found != expected->second) {
    throw CheckpointError(fmt::format("{}: damaged, its checksum is {} where {} says {}",
                                      opened.name(), found, kStateFile, expected->second));
  }
}

}  // namespace

std::string name_of(std::int64_t step) { return fmt::format("{}{:08}", kPrefix, step); }

std::optional<std::int64_t> step_of(std::string_view name, std::string_view ending) {
  if (!name.starts_with(kPrefix) || !name.ends_with(ending)) return std::nullopt;
  std::int64_t step = 0;
  const char* end = name.data() + name.size() - ending.size();
  const auto [rest, error] = std::from_chars(name.data() + kPrefix.size(), end, step);
  if (error != std::errc() || rest != end || step < 0) return std::nullopt;
  return step;
}

std::vector<std::int64_t> steps_in(const fs::path& folder) {
  std::vector<std::int64_t> steps;
  std::error_code ignored;  // no such folder: none
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (const auto step = step_of(entry.path().filename().string())) steps.push_back(*step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::symlink_status(path, ignored).type() != fs::file_type::not_found;
}

fs::path without_links(const fs::path& path) {
  std::error_code error;
  auto target = fs::canonical(path, error);
  return error ? path : target;
}

OpenFiles open_verified(const fs::path& folder) {
  OpenFiles files{.folder = folder, .state = read_state(folder), .model = {}, .optimizer = {}};
  files.model = std::make_shared<weights::MappedFile>(folder / kModelFile);
  files.optimizer = std::make_shared<weights::MappedFile>(folder / kOptimizerFile);
  compare(*files.model, kModelFile, files.state);
  compare(*files.optimizer, kOptimizerFile, files.state);
  return files;
}

void check_step(const OpenFiles& files, std::int64_t step) {
  if (files.state.state.step == step) return;
  throw CheckpointError(fmt::format("{}: is of step {} by its {}", files.folder.string(),
                                    files.state.state.step, kStateFile));
}

StateFile verify_step(const fs::path& folder, std::int64_t step) {
  const auto files = open_verified(folder);
  check_step(files, step);
  return files.state;
}

bool is_whole_step(const fs::path& folder, std::int64_t step) {
  try {
    verify_step(folder, step);
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace raven::artifacts
