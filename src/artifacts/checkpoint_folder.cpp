#include "raven/artifacts/checkpoint_folder.h"

#include <algorithm>

#include "artifacts/checkpoint_files.h"
#include "artifacts/folder_exchange.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/core/new_file.h"
#include "raven/core/whole_work.h"

namespace raven::artifacts {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDamaged = ".damaged";
constexpr const char* kAbandoned = ".abandoned";

weights::TensorFile file_of(const nn::StateDict& tensors) {
  weights::TensorFile file;
  for (const auto& [name, tensor] : tensors) file.tensors.emplace_back(name, tensor.detach());
  return file;
}

std::optional<std::int64_t> step_of_best(const TrainState& state) {
  return state.best ? std::optional(state.best->step) : std::nullopt;
}

/// The tensors of a folder are those that `wanted` lists, and undamaged: only its state is another.
bool has_files(const fs::path& folder, const StateFile& wanted) {
  try {
    return open_verified(folder).state.checksums == wanted.checksums;
  } catch (const Error&) {
    return false;
  }
}

/// A checkpoint that is not to be used must not count as one of the newest.
void set_aside(const fs::path& path, const char* ending) {
  auto aside = path;
  aside += ending;
  std::error_code error;
  fs::remove_all(aside, error);
  fs::rename(path, aside, error);
  if (error) log::warn("cannot set {} aside: {}", path.string(), error.message());
}

/// Gives a step its name again when `aside` is whole and there is no whole one of that name.
void put_back(const fs::path& aside, const fs::path& path, std::int64_t step) {
  std::error_code ignored;
  try {
    verify_step(aside, step);
  } catch (const CheckpointError&) {  // a part
    fs::remove_all(aside, ignored);
    return;
  } catch (const SystemError& error) {
    log::warn("{} was left by an earlier run and cannot be read: {}", aside.string(), error.what());
    return;
  }
  if (is_there(path)) {
    try {
      verify_step(path, step);
      fs::remove_all(aside, ignored);
      return;
    } catch (const CheckpointError& error) {
      log::warn("refused checkpoint {}: {}", path.filename().string(), error.what());
      set_aside(path, kDamaged);
    } catch (const SystemError& error) {
      log::warn("cannot read checkpoint {}: {}", path.filename().string(), error.what());
      return;
    }
  }
  rename_or_throw(aside, path);
  flush_to_disk(path.parent_path());
  log::info("{}: was left whole as {} when the run ended", path.string(),
            aside.filename().string());
}

}  // namespace

void recover_checkpoints(const fs::path& folder) {
  std::error_code failed, ignored;  // what stays is only in the way of disk space
  std::vector<fs::path> names;
  for (fs::directory_iterator entry(folder, failed), end; !failed && entry != end;
       entry.increment(failed)) {
    names.push_back(entry->path());
  }
  if (failed == std::errc::no_such_file_or_directory) return;
  if (failed) {
    throw SystemError(fmt::format("cannot read {}: {}", folder.string(), failed.message()));
  }
  // Of two whole ones the newer: what was being written, then what it replaces.
  for (const char* ending : {kNewEnding, kReplacedEnding, kRemovedEnding}) {
    for (const auto& path : names) {
      const auto step = step_of(path.filename().string(), ending);
      if (step) put_back(path, folder / name_of(*step), *step);
    }
  }
  for (const char* link : {kLast, kBest})
    fs::remove(folder / (std::string(link) + kNewEnding), ignored);
  for (const auto step : steps_in(folder))
    remove_stale_files(folder / name_of(step));  // of a state.json replaced alone
}

std::optional<Checkpoint> newest_readable(const fs::path& folder) {
  const auto present = steps_in(folder);
  for (auto step = present.rbegin(); step != present.rend(); ++step) {
    try {
      return read_checkpoint(path_of_step(folder, *step));
    } catch (const Error&) {  // its owner says so
    }
  }
  return std::nullopt;
}

CheckpointFolder::CheckpointFolder(fs::path folder, std::int64_t keep, std::int64_t keep_every)
    : folder_(std::move(folder)), keep_(keep), keep_every_(keep_every) {
  make_folders(folder_);
  recover_checkpoints(folder_);
}

fs::path path_of_step(const fs::path& folder, std::int64_t step) { return folder / name_of(step); }

fs::path CheckpointFolder::path_of(std::int64_t step) const { return path_of_step(folder_, step); }

std::vector<std::int64_t> CheckpointFolder::steps() const { return steps_in(folder_); }

void CheckpointFolder::save(const TrainState& state, const nn::StateDict& model,
                            const nn::StateDict& optimizer) {
  const WholeWork whole;
  const auto path = path_of(state.step);
  auto temporary = path;
  temporary += kNewEnding;
  std::error_code ignored;
  fs::remove_all(temporary, ignored);
  StateFile file{.state = state, .checksums = {}};
  try {
    make_folders(temporary);
    const auto write = [&](const char* name, const nn::StateDict& tensors) {
      weights::write_safetensors(temporary / name, file_of(tensors));
      file.checksums[name] = checksum_text(checksum_file(temporary / name));
    };
    write(kModelFile, model);
    write(kOptimizerFile, optimizer);
    write_state_file(temporary / kStateFile, file);
    flush_to_disk(temporary);
    if (!is_there(path)) {
      rename_or_throw(temporary, path);
    } else if (has_files(path, file)) {
      write_state_file(path / kStateFile, file);
    } else {  // reached before, by a run that went back further
      replace_folder(temporary, path);
    }
  } catch (const Error& error) {
    fs::remove_all(temporary, ignored);
    throw SystemError(fmt::format("checkpoint {} was not written, earlier ones stand: {}",
                                  path.string(), error.what()));
  }
  current_ = state.step;
  best_ = step_of_best(state);
  is_whole_[state.step] = true;
  abandon_later_than(state.step);
  try {
    flush_to_disk(folder_);
    point_to_current();
  } catch (const Error& error) {
    throw SystemError(fmt::format(
        "checkpoint {} is whole, and the same command goes on from it, but `last` or `best` does "
        "not point to it: {}",
        path.string(), error.what()));
  }
  auto replaced = path;
  replaced += kReplacedEnding;
  for (const auto& aside : {temporary, replaced}) fs::remove_all(aside, ignored);
  remove_old();
}

void CheckpointFolder::go_on_from(std::int64_t step) {
  current_ = step;
  best_ = step_of_best(read_state_file(path_of(step) / kStateFile).state);
  point_to_current();
}

void CheckpointFolder::settle() {
  if (!current_) return;
  point_to_current();
  remove_old();
}

/// Those that the run passed over when it went on from an earlier one, since they could not be
/// read. From here on it is another run than theirs; once they can be read again, nobody may take
/// them for its newest.
void CheckpointFolder::abandon_later_than(std::int64_t step) const {
  for (const auto later : steps()) {
    if (later <= step) continue;
    log::warn("{}: the run went on from an earlier checkpoint; it is set aside as {}{}",
              path_of(later).string(), name_of(later), kAbandoned);
    set_aside(path_of(later), kAbandoned);
  }
}

void CheckpointFolder::point_to_current() const {
  point(kLast, *current_);
  if (best_) point(kBest, *best_);
}

void CheckpointFolder::point(const char* name, std::int64_t step) const {
  const auto link = folder_ / name;
  std::error_code error;
  if (fs::read_symlink(link, error) == name_of(step)) return;
  auto temporary = link;
  temporary += kNewEnding;
  fs::remove(temporary, error);
  fs::create_symlink(name_of(step), temporary, error);
  if (error) {
    throw SystemError(fmt::format("cannot create {}: {}", temporary.string(), error.message()));
  }
  try {
    rename_or_throw(temporary, link);
  } catch (const SystemError&) {
    fs::remove(temporary, error);
    throw;
  }
  flush_to_disk(folder_);
}

/// Verified once; a damaged one is set aside, and one that cannot be read is left where it is.
bool CheckpointFolder::is_whole(std::int64_t step) {
  if (const auto known = is_whole_.find(step); known != is_whole_.end()) return known->second;
  const auto path = path_of(step);
  try {
    verify_step(path, step);
    return is_whole_[step] = true;
  } catch (const CheckpointError& error) {
    log::warn("refused checkpoint {}: {}", path.filename().string(), error.what());
    set_aside(path, kDamaged);
  } catch (const SystemError& error) {
    log::warn("cannot read checkpoint {}: {}", path.filename().string(), error.what());
  }
  return is_whole_[step] = false;
}

void CheckpointFolder::remove(std::int64_t step) const {
  std::error_code failed;
  // Renamed first: a half removed folder must not look like a checkpoint.
  auto doomed = path_of(step);
  doomed += kRemovedEnding;
  fs::rename(path_of(step), doomed, failed);
  if (!failed) fs::remove_all(doomed, failed);
}

void CheckpointFolder::remove_old() {
  auto left = steps();  // that may count or go, ascending
  std::erase_if(left, [&](std::int64_t step) {
    const auto known = is_whole_.find(step);
    return known != is_whole_.end() && !known->second;
  });
  std::int64_t regular = 0;  // whole ones that stay, from the newest on
  for (; !left.empty(); left.pop_back()) {
    const auto step = left.back();
    bool interim = false;
    try {
      interim = read_state_file(path_of(step) / kStateFile).state.interim;
    } catch (const Error&) {  // is kept for whoever mends it, and does not count
      continue;
    }
    if (step == current_ || step == best_) {
      if (!interim && regular < keep_) ++regular;
    } else if (interim) {
      remove(step);
    } else if (regular < keep_) {
      // Where an older one could go because of it, a damaged one must not stand for a whole one.
      const bool decides = std::ssize(left) > keep_ - regular;
      if (!decides || is_whole(step)) ++regular;
    } else if (keep_every_ == 0 || step % keep_every_ != 0) {
      remove(step);
    }
  }
}

std::vector<std::int64_t> CheckpointFolder::newest_regular(std::size_t count) {
  auto present = steps();
  // What lies beyond is not of this run as it is now: it was refused when the run went on. So the
  // link itself counts, not what readers of it would find.
  std::error_code none;
  const auto last = current_ ? current_ : step_of(fs::read_symlink(folder_ / kLast, none).string());
  if (last) std::erase_if(present, [&](std::int64_t step) { return step > *last; });
  std::vector<std::int64_t> chosen;
  for (auto step = present.rbegin(); step != present.rend() && chosen.size() < count; ++step) {
    try {
      const auto interim = verify_step(path_of(*step), *step).state.interim;
      if (step == present.rbegin() || !interim) chosen.push_back(*step);
    } catch (const CheckpointError& error) {
      log::warn("left out checkpoint {}: {}", path_of(*step).filename().string(), error.what());
      set_aside(path_of(*step), kDamaged);
    } catch (const SystemError& error) {  // may be whole
      log::warn("left out checkpoint {}: {}", path_of(*step).filename().string(), error.what());
    }
  }
  std::reverse(chosen.begin(), chosen.end());
  return chosen;
}

std::optional<Checkpoint> CheckpointFolder::newest_whole(std::optional<std::int64_t> before) {
  auto present = steps();
  if (before) std::erase_if(present, [&](std::int64_t step) { return step >= *before; });
  std::vector<fs::path> refused;
  bool unreadable = false;
  std::string reasons;
  for (auto step = present.rbegin(); step != present.rend(); ++step) {
    const auto path = path_of(*step);
    try {
      auto checkpoint = read_checkpoint(path);
      if (checkpoint.state.step != *step) verify_step(path, *step);  // says so
      for (const auto& one : refused) set_aside(one, kDamaged);
      is_whole_[*step] = true;
      return checkpoint;
    } catch (const CheckpointError& error) {
      log::warn("refused checkpoint {}: {}", path.filename().string(), error.what());
      refused.push_back(path);
      reasons += fmt::format("\n  {}", error.what());
    } catch (const SystemError& error) {  // may be whole: a bad mount, a permission
      log::warn("cannot read checkpoint {}: {}", path.filename().string(), error.what());
      unreadable = true;
      reasons += fmt::format("\n  {}", error.what());
    }
    is_whole_[*step] = false;
  }
  if (present.empty()) return std::nullopt;
  if (unreadable) {
    throw CheckpointError(fmt::format(
        "no checkpoint in {} can be used, and some could not be read; mend that and run again:{}",
        folder_.string(), reasons));
  }
  throw CheckpointError(
      fmt::format("no checkpoint in {} is whole; remove that folder to start the run again:{}",
                  folder_.string(), reasons));
}

}  // namespace raven::artifacts
