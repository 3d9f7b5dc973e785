#include "raven/train/checkpoint.h"

#include <algorithm>
#include <charconv>

#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"
#include "train/state_file.h"

namespace raven::train {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "step_";
constexpr const char* kOptimizerFile = "optimizer.safetensors";
constexpr const char* kStateFile = "state.json";

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

void verify_file(const fs::path& file, const StateFile& state) {
  const auto expected = state.checksums.find(file.filename().string());
  if (expected == state.checksums.end()) {
    throw CheckpointError(
        fmt::format("{}: {} lists no checksum for it", file.string(), kStateFile));
  }
  if (!fs::exists(file)) throw CheckpointError(fmt::format("{}: no such file", file.string()));
  const auto found = checksum_text(checksum_file(file));
  if (found != expected->second) {
    throw CheckpointError(fmt::format("{}: damaged, its checksum is {} where {} says {}",
                                      file.string(), found, kStateFile, expected->second));
  }
}

/// A damaged checkpoint must not count as one of the newest when old ones are removed.
void set_aside(const fs::path& path) {
  auto aside = path;
  aside += ".damaged";
  std::error_code error;
  fs::remove_all(aside, error);
  fs::rename(path, aside, error);
  if (error) log::warn("cannot set {} aside: {}", path.string(), error.message());
}

void rename_or_throw(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) {
    throw SystemError(
        fmt::format("cannot rename {} to {}: {}", from.string(), to.string(), error.message()));
  }
}

}  // namespace

Checkpoint read_checkpoint(const fs::path& folder) {
  if (!fs::is_directory(folder)) {
    throw CheckpointError(fmt::format("{}: no such checkpoint folder", folder.string()));
  }
  std::error_code unknown;  // is said where the file is read
  if (fs::symlink_status(folder / kStateFile, unknown).type() == fs::file_type::not_found) {
    throw CheckpointError(fmt::format(
        "{}: is no checkpoint, nor a run that has saved one: there is neither {} nor checkpoints/ "
        "in it",
        folder.string(), kStateFile));
  }
  try {
    const auto state = read_state_file(folder / kStateFile);
    for (const char* name : {kModelFile, kOptimizerFile}) verify_file(folder / name, state);
    return {.folder = folder,
            .state = state.state,
            .model = weights::read_safetensors(folder / kModelFile),
            .optimizer = weights::read_safetensors(folder / kOptimizerFile)};
  } catch (const DataError& error) {
    throw CheckpointError(error.what());
  }
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

std::optional<std::int64_t> step_of_folder(const fs::path& folder) {
  std::error_code error;
  const auto target = fs::canonical(folder, error);
  return error ? std::nullopt : step_of(target.filename().string());
}

std::optional<std::int64_t> last_step(const fs::path& run) {
  return step_of_folder(run / "checkpoints" / "last");
}

std::optional<fs::path> finished_file(const fs::path& run, const std::string& name) {
  auto file = run / name;
  if (!fs::exists(file)) return std::nullopt;
  const auto metadata = weights::read_safetensors_metadata(file);
  const auto made_at = metadata.find("step");
  const auto last = last_step(run);
  if (last && made_at != metadata.end() && made_at->second != std::to_string(*last)) {
    log::info("{} is of step {}, the run has gone on to step {}: its last checkpoint is taken",
              file.string(), made_at->second, *last);
    return std::nullopt;
  }
  return file;
}

CheckpointFolder::CheckpointFolder(fs::path folder, std::int64_t keep, std::int64_t keep_every)
    : folder_(std::move(folder)), keep_(keep), keep_every_(keep_every) {
  make_folders(folder_);
  std::error_code ignored;  // what stays is only in the way of disk space
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (entry.path().extension() == ".tmp") fs::remove_all(entry.path(), ignored);
  }
}

fs::path CheckpointFolder::path_of(std::int64_t step) const {
  return folder_ / fmt::format("{}{:08}", kPrefix, step);
}

std::vector<std::int64_t> CheckpointFolder::steps() const {
  std::vector<std::int64_t> steps;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (const auto step = step_of(entry.path().filename().string())) steps.push_back(*step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

void CheckpointFolder::save(const TrainState& state, const NamedTensors& model,
                            const NamedTensors& optimizer) {
  const auto path = path_of(state.step);
  auto temporary = path;
  temporary += ".tmp";
  std::error_code ignored;
  fs::remove_all(temporary, ignored);
  try {
    make_folders(temporary);
    StateFile file{.state = state, .checksums = {}};
    const auto write = [&](const char* name, const NamedTensors& tensors) {
      weights::write_safetensors(temporary / name, file_of(tensors));
      file.checksums[name] = checksum_text(checksum_file(temporary / name));
    };
    write(kModelFile, model);
    write(kOptimizerFile, optimizer);
    write_state_file(temporary / kStateFile, file);
    flush_to_disk(temporary);
    if (fs::exists(path)) {  // this step was reached before, by a run that went back further
      auto replaced = path;
      replaced += ".replaced.tmp";
      rename_or_throw(path, replaced);
    }
    rename_or_throw(temporary, path);
  } catch (const Error& error) {
    fs::remove_all(temporary, ignored);
    throw SystemError(fmt::format("checkpoint {} was not written, earlier ones stand: {}",
                                  path.string(), error.what()));
  }
  try {
    flush_to_disk(folder_);
    point_last_to(state.step);
  } catch (const Error& error) {
    throw SystemError(fmt::format(
        "checkpoint {} is whole, and the same command goes on from it, but `last` does not point "
        "to it: {}",
        path.string(), error.what()));
  }
  remove_old();
}

void CheckpointFolder::point_last_to(std::int64_t step) const {
  const auto temporary = folder_ / "last.tmp";
  std::error_code error;
  fs::remove(temporary, error);
  fs::create_symlink(path_of(step).filename(), temporary, error);
  if (error) {
    throw SystemError(fmt::format("cannot create {}: {}", temporary.string(), error.message()));
  }
  rename_or_throw(temporary, folder_ / "last");
  flush_to_disk(folder_);
}

/// False as well for one whose state cannot be read: it is kept for whoever mends it.
bool CheckpointFolder::is_interim(std::int64_t step) const {
  try {
    return read_state_file(path_of(step) / kStateFile).state.interim;
  } catch (const Error&) {
    return false;
  }
}

void CheckpointFolder::remove_old() const {
  const auto present = steps();
  std::error_code ignored;
  std::int64_t regular = 0;  // from the newest on
  for (auto step = present.rbegin(); step != present.rend(); ++step) {
    const bool interim = is_interim(*step);
    const bool newest = step == present.rbegin();
    if (!interim) ++regular;
    const bool kept =
        interim ? newest : regular <= keep_ || (keep_every_ > 0 && *step % keep_every_ == 0);
    if (kept) continue;
    // Renamed first: a half removed folder must not look like a checkpoint.
    auto doomed = path_of(*step);
    doomed += ".old.tmp";
    fs::rename(path_of(*step), doomed, ignored);
    fs::remove_all(doomed, ignored);
  }
  for (const auto& entry : fs::directory_iterator(folder_)) {
    const auto name = entry.path().filename().string();
    if (name.size() > 13 && name.substr(name.size() - 13) == ".replaced.tmp") {
      fs::remove_all(entry.path(), ignored);
    }
  }
}

std::vector<std::int64_t> CheckpointFolder::newest_regular(std::size_t count) {
  const auto present = steps();
  std::vector<std::int64_t> chosen;
  for (auto step = present.rbegin(); step != present.rend() && chosen.size() < count; ++step) {
    try {
      const auto checkpoint = read_checkpoint(path_of(*step));
      if (step == present.rbegin() || !checkpoint.state.interim) chosen.push_back(*step);
    } catch (const CheckpointError& error) {
      log::warn("left out checkpoint {}: {}", path_of(*step).filename().string(), error.what());
      set_aside(path_of(*step));
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
    try {
      auto checkpoint = read_checkpoint(path_of(*step));
      for (const auto& path : refused) set_aside(path);
      return checkpoint;
    } catch (const CheckpointError& error) {
      log::warn("refused checkpoint {}: {}", path_of(*step).filename().string(), error.what());
      refused.push_back(path_of(*step));
      reasons += fmt::format("\n  {}", error.what());
    } catch (const SystemError& error) {  // may be whole: a bad mount, a permission
      log::warn("cannot read checkpoint {}: {}", path_of(*step).filename().string(), error.what());
      unreadable = true;
      reasons += fmt::format("\n  {}", error.what());
    }
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
