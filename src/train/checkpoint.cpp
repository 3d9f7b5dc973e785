#include "raven/train/checkpoint.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <functional>
#include <set>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "raven/core/new_file.h"
#include "raven/weights/mapped_file.h"
#include "train/folder_exchange.h"
#include "train/state_file.h"

namespace raven::train {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "step_";
constexpr int kMostReadings = 10;  // of a folder that is replaced while it is read

/// The step in "step_00012000"; empty for any other name.
std::optional<std::int64_t> step_of(const std::string& name) {
  if (name.rfind(kPrefix, 0) != 0) return std::nullopt;
  std::int64_t step = 0;
  const char* end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(name.data() + kPrefix.size(), end, step);
  if (error != std::errc() || rest != end || step < 0) return std::nullopt;
  return step;
}

weights::TensorFile file_of(const NamedTensors& tensors) {
  weights::TensorFile file;
  for (const auto& [name, tensor] : tensors) file.tensors.emplace_back(name, tensor.detach());
  return file;
}

StateFile read_state(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    if (error && error.value() != ENOENT && error.value() != ENOTDIR) {
      throw SystemError(fmt::format("cannot read {}: {}", folder.string(), error.message()));
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

/// The files of a checkpoint, open and verified: what is read from them later are the bytes that
/// were hashed.
struct OpenFiles {
  fs::path folder;
  StateFile state;
  std::shared_ptr<weights::MappedFile> model, optimizer;
};

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

/// All are open before one is hashed, which takes long: from there on the folder may go.
OpenFiles open_verified(const fs::path& folder) {
  OpenFiles files{.folder = folder, .state = read_state(folder), .model = {}, .optimizer = {}};
  files.model = std::make_shared<weights::MappedFile>(folder / kModelFile);
  files.optimizer = std::make_shared<weights::MappedFile>(folder / kOptimizerFile);
  compare(*files.model, kModelFile, files.state);
  compare(*files.optimizer, kOptimizerFile, files.state);
  return files;
}

/// Throws as read_checkpoint does, without keeping any tensor.
StateFile verify(const fs::path& folder) { return open_verified(folder).state; }

void check_step(const fs::path& folder, const StateFile& file, std::int64_t step) {
  if (file.state.step == step) return;
  throw CheckpointError(
      fmt::format("{}: is of step {} by its {}", folder.string(), file.state.step, kStateFile));
}

/// The same for the folder of a step, under whatever name it has at the moment.
StateFile verify_step(const fs::path& folder, std::int64_t step) {
  auto file = verify(folder);
  check_step(folder, file, step);
  return file;
}

/// The tensors of a folder are those that `wanted` lists, and undamaged: only its state is another.
bool has_files(const fs::path& folder, const StateFile& wanted) {
  try {
    return verify(folder).checksums == wanted.checksums;
  } catch (const Error&) {
    return false;
  }
}

bool is_whole_step(const fs::path& folder, std::int64_t step) {
  try {
    verify_step(folder, step);
    return true;
  } catch (const Error&) {
    return false;
  }
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

fs::path without_links(const fs::path& path) {
  std::error_code error;
  auto target = fs::canonical(path, error);
  return error ? path : target;
}

std::string name_of(std::int64_t step) { return fmt::format("{}{:08}", kPrefix, step); }

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::symlink_status(path, ignored).type() != fs::file_type::not_found;
}

/// Which folder a path leads to; all 0: none. A number alone is given again to a new folder.
using Identity = std::array<std::uint64_t, 4>;
Identity identity_of(const fs::path& folder) {
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_ctim.tv_sec),
          static_cast<std::uint64_t>(status.st_ctim.tv_nsec)};
}

constexpr const char* kDamaged = ".damaged";
constexpr const char* kAbandoned = ".abandoned";

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

/// A folder that a path may stand for.
struct Candidate {
  fs::path folder;
  std::optional<std::int64_t> step;  // that it must be of; empty: whatever is there
};

/// The names of a step that is whole but has lost its own, the newer one first. Its state is
/// written last: a folder without it is still being written.
void add_waiting(const fs::path& path, std::int64_t step, std::vector<Candidate>& found) {
  for (const char* ending : {kNewEnding, kReplacedEnding}) {
    auto aside = path;
    aside += ending;
    if (is_there(aside / kStateFile)) found.push_back({.folder = aside, .step = step});
  }
}

/// Of folders under their own names and of waiting ones, the newest first.
std::set<std::int64_t, std::greater<>> known_steps(const fs::path& folder) {
  std::set<std::int64_t, std::greater<>> steps;
  std::error_code ignored;  // no such folder: none
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const auto name = entry.path().filename().string();
    for (const std::string ending : {"", kNewEnding, kReplacedEnding}) {
      if (!name.ends_with(ending)) continue;
      if (const auto step = step_of(name.substr(0, name.size() - ending.size())))
        steps.insert(*step);
    }
  }
  return steps;
}

/// What a path may stand for, best first. The last one is that which it names.
std::vector<Candidate> candidates(const fs::path& given) {
  const auto path = given.has_filename() ? given : given.parent_path();  // no slash at its end
  const Candidate itself{.folder = given, .step = {}};
  std::vector<Candidate> found;
  if (path.filename() != kLast || (is_there(path) && !fs::is_symlink(path))) {
    if (const auto step = step_of(path.filename().string()); step && !is_there(path))
      add_waiting(path, *step, found);
    found.push_back(itself);
    return found;
  }
  std::error_code no_parent, dangling;
  const auto folder = fs::canonical(path.has_parent_path() ? path.parent_path() : ".", no_parent);
  if (no_parent) return {itself};
  const auto target = fs::canonical(path, dangling);
  const auto linked = dangling ? std::nullopt : step_of(target.filename().string());
  if (!dangling && (!linked || target.parent_path() != folder)) return {itself};  // no run's link
  auto steps = known_steps(folder);
  std::error_code none;
  if (dangling) {  // a name that is being exchanged may be missing in a list of the folder
    if (const auto step = step_of(fs::read_symlink(path, none).filename().string()))
      steps.insert(*step);
  }
  for (const auto step : steps) {
    if (linked && step <= *linked) break;
    const auto named = folder / name_of(step);
    if (is_there(named)) found.push_back({.folder = named, .step = step});
    add_waiting(named, step, found);
  }
  found.push_back(dangling ? itself : Candidate{.folder = target, .step = {}});
  return found;
}

std::vector<std::pair<fs::path, Identity>> identities(const std::vector<Candidate>& candidates) {
  std::vector<std::pair<fs::path, Identity>> result;
  for (const auto& one : candidates) result.emplace_back(one.folder, identity_of(one.folder));
  return result;
}

void say_taken(const fs::path& given, const fs::path& taken) {
  log::warn_once(fmt::format("{} does not lead to the newest whole checkpoint, which is taken: {}",
                             given.string(), taken.string()));
}

/// The first of the candidates that is whole; each is hashed once.
OpenFiles open_newest(const fs::path& given) {
  for (int reading = 1;; ++reading) {
    const auto found = candidates(given);
    const auto before = identities(found);
    // What a run that is under way does to its folders is no damage, and what it had for a moment
    // is not the newest: look again.
    const auto changed = [&] {
      return reading < kMostReadings && identities(candidates(given)) != before;
    };
    for (const auto& candidate : found) {
      const bool named = &candidate == &found.back();
      try {
        auto files = open_verified(without_links(candidate.folder));
        if (candidate.step) check_step(files.folder, files.state, *candidate.step);
        if (!named && changed()) break;
        if (!named) say_taken(given, files.folder);
        return files;
      } catch (const Error&) {
        if (changed()) break;
        if (named) throw;
      }
    }
  }
}

Checkpoint read_tensors(const OpenFiles& files, CheckpointPart part) {
  Checkpoint checkpoint{.folder = files.folder,
                        .state = files.state.state,
                        .model = weights::read_safetensors(files.model),
                        .optimizer = {}};
  if (part == CheckpointPart::kAll)
    checkpoint.optimizer = weights::read_safetensors(files.optimizer);
  return checkpoint;
}

}  // namespace

fs::path resolve_checkpoint(const fs::path& path) {
  const auto found = candidates(path);
  for (const auto& candidate : found) {
    if (!candidate.step || !is_whole_step(candidate.folder, *candidate.step)) continue;
    say_taken(path, candidate.folder);
    return candidate.folder;
  }
  return found.back().folder;
}

bool exists_or_waits(const fs::path& path) {
  std::error_code ignored;
  return candidates(path).size() > 1 || fs::exists(path, ignored);
}

Checkpoint read_checkpoint(const fs::path& path, CheckpointPart part) {
  return read_tensors(open_newest(path), part);
}

struct LastCheckpoint::Files : OpenFiles {};

LastCheckpoint::LastCheckpoint(const fs::path& run) : link_(run / kCheckpoints / kLast) {}
LastCheckpoint::~LastCheckpoint() = default;

std::optional<std::int64_t> LastCheckpoint::step() {
  if (files_) return files_->state.state.step;
  const auto found = candidates(link_);
  if (found.size() > 1) {
    try {
      files_ = std::make_unique<Files>(Files{open_newest(link_)});
      return files_->state.state.step;
    } catch (const Error&) {  // is said by whoever reads it
    }
  }
  return step_of(without_links(found.back().folder).filename().string());
}

Checkpoint LastCheckpoint::read(CheckpointPart part) {
  return files_ ? read_tensors(*files_, part) : read_checkpoint(link_, part);
}

void load_strictly(const weights::TensorFile& file, const NamedTensors& into,
                   const std::string& where) {
  std::map<std::string, torch::Tensor> given(file.tensors.begin(), file.tensors.end());
  std::string problems;
  for (const auto& [name, tensor] : into) {
    const auto found = given.find(name);
    if (found == given.end()) {
      problems += fmt::format("\n  missing     {}", name);
    } else if (found->second.sizes() != tensor.sizes()) {
      problems +=
          fmt::format("\n  other shape {}: ({}) in the file, ({}) in the model", name,
                      fmt::join(found->second.sizes(), ", "), fmt::join(tensor.sizes(), ", "));
    }
  }
  std::map<std::string, torch::Tensor> wanted(into.begin(), into.end());
  for (const auto& [name, tensor] : file.tensors) {
    if (wanted.count(name) == 0) problems += fmt::format("\n  unexpected  {}", name);
  }
  if (!problems.empty()) {
    throw CheckpointError(fmt::format("{} does not fit this model:{}", where, problems));
  }
  torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : into) {
    auto target = tensor;
    target.copy_(given.at(name));
  }
}

std::string config_hash(const std::map<std::string, std::string>& config) {
  std::string text;
  for (const auto& [key, value] : config) text += fmt::format("{}={}\n", key, value);
  return checksum_text(checksum(text));
}

std::string data_hash(const data::Manifest& manifest) {
  std::string text;
  for (const auto& utterance : manifest.utterances) {
    text += fmt::format("{}\t{}", utterance.id, utterance.frames);
    if (!utterance.labels.empty()) text += fmt::format("\t{}", fmt::join(utterance.labels, " "));
    text += "\n";
  }
  return checksum_text(checksum(text));
}

std::optional<std::int64_t> last_step(const fs::path& run) { return LastCheckpoint(run).step(); }

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
  for (const std::string ending : {kNewEnding, kReplacedEnding, kRemovedEnding}) {
    for (const auto& path : names) {
      const auto name = path.filename().string();
      if (!name.ends_with(ending)) continue;
      const auto step = step_of(name.substr(0, name.size() - ending.size()));
      if (step) put_back(path, folder / name_of(*step), *step);
    }
  }
  fs::remove(folder / (std::string(kLast) + kNewEnding), ignored);
  for (const auto step : steps_in(folder))
    remove_stale_files(folder / name_of(step));  // of a state.json replaced alone
}

CheckpointFolder::CheckpointFolder(fs::path folder, std::int64_t keep, std::int64_t keep_every)
    : folder_(std::move(folder)), keep_(keep), keep_every_(keep_every) {
  make_folders(folder_);
  recover_checkpoints(folder_);
}

fs::path CheckpointFolder::path_of(std::int64_t step) const { return folder_ / name_of(step); }

std::vector<std::int64_t> CheckpointFolder::steps() const { return steps_in(folder_); }

void CheckpointFolder::save(const TrainState& state, const NamedTensors& model,
                            const NamedTensors& optimizer) {
  const auto path = path_of(state.step);
  auto temporary = path;
  temporary += kNewEnding;
  std::error_code ignored;
  fs::remove_all(temporary, ignored);
  StateFile file{.state = state, .checksums = {}};
  try {
    make_folders(temporary);
    const auto write = [&](const char* name, const NamedTensors& tensors) {
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
  is_whole_[state.step] = true;
  abandon_later_than(state.step);
  try {
    flush_to_disk(folder_);
    point_last_to(state.step);
  } catch (const Error& error) {
    throw SystemError(fmt::format(
        "checkpoint {} is whole, and the same command goes on from it, but `last` does not point "
        "to it: {}",
        path.string(), error.what()));
  }
  auto replaced = path;
  replaced += kReplacedEnding;
  for (const auto& aside : {temporary, replaced}) fs::remove_all(aside, ignored);
  remove_old();
}

void CheckpointFolder::go_on_from(std::int64_t step) {
  current_ = step;
  point_last_to(step);
}

void CheckpointFolder::settle() {
  if (!current_) return;
  point_last_to(*current_);
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

void CheckpointFolder::point_last_to(std::int64_t step) const {
  const auto link = folder_ / kLast;
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
    if (step == current_) {
      if (!interim) ++regular;
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

std::optional<Checkpoint> CheckpointFolder::newest_whole() {
  const auto present = steps();
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

}  // namespace raven::train
