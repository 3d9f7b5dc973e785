#include "raven/artifacts/checkpoint.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <functional>
#include <set>
#include <utility>

#include "artifacts/checkpoint_files.h"
#include "artifacts/folder_exchange.h"
#include "artifacts/state_file.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/core/log.h"

namespace raven::artifacts {
namespace {

namespace fs = std::filesystem;

constexpr int kMostReadings = 10;  // of a folder that is replaced while it is read

/// Which folder a path leads to; all 0: none. A number alone is given again to a new folder.
using Identity = std::array<std::uint64_t, 4>;
Identity identity_of(const fs::path& folder) {
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_ctim.tv_sec),
          static_cast<std::uint64_t>(status.st_ctim.tv_nsec)};
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
    for (const char* ending : {"", kNewEnding, kReplacedEnding}) {
      if (const auto step = step_of(name, ending)) steps.insert(*step);
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
        if (candidate.step) check_step(files, *candidate.step);
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

/// A line for each of the first `most`, and one for how many more there are.
std::string listed(const std::string& what, const std::vector<std::string>& lines,
                   std::size_t most) {
  std::string text;
  for (std::size_t i = 0; i < std::min(most, lines.size()); ++i)
    text += fmt::format("\n  {} {}", what, lines[i]);
  if (lines.size() > most) text += fmt::format("\n  {} and {} more", what, lines.size() - most);
  return text;
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

std::optional<TrainState> LastCheckpoint::state() {
  if (!step()) return std::nullopt;
  if (files_) return files_->state.state;
  try {
    return read_state_file(without_links(candidates(link_).back().folder) / kStateFile).state;
  } catch (const Error&) {
    return std::nullopt;
  }
}

Checkpoint LastCheckpoint::read(CheckpointPart part) {
  return files_ ? read_tensors(*files_, part) : read_checkpoint(link_, part);
}

void load_strictly(const weights::TensorFile& file, const nn::StateDict& into,
                   const std::string& where, std::size_t most) {
  std::map<std::string, torch::Tensor> given(file.tensors.begin(), file.tensors.end());
  std::vector<std::string> missing, misshapen, unexpected;
  for (const auto& [name, tensor] : into) {
    const auto found = given.find(name);
    if (found == given.end()) {
      missing.push_back(name);
    } else if (found->second.sizes() != tensor.sizes()) {
      misshapen.push_back(fmt::format("{}: ({}) in the file, ({}) in the model", name,
                                      fmt::join(found->second.sizes(), ", "),
                                      fmt::join(tensor.sizes(), ", ")));
    }
  }
  std::map<std::string, torch::Tensor> wanted(into.begin(), into.end());
  for (const auto& [name, tensor] : file.tensors) {
    if (wanted.count(name) == 0) unexpected.push_back(name);
  }
  const auto problems = listed("missing    ", missing, most) +
                        listed("other shape", misshapen, most) +
                        listed("unexpected ", unexpected, most);
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

}  // namespace raven::artifacts
