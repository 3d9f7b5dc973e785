#include "raven/artifacts/model_source.h"

#include "artifacts/state_file.h"
#include "raven/artifacts/run_files.h"
#include "raven/config/modality.h"
#include "raven/core/error.h"
#include "raven/core/log.h"
#include "raven/weights/model_card.h"
#include "raven/weights/verify.h"

namespace raven::artifacts {
namespace {

namespace fs = std::filesystem;
using config::modality_name;
using models::Modality;

enum class Kind { kRun, kCheckpointsFolder, kCheckpoint, kFile };

/// `<run>/checkpoints` itself, with or without a slash at its end.
bool is_checkpoints_folder(const fs::path& path) {
  std::error_code ignored;
  return (path / "").parent_path().filename() == kCheckpoints && fs::is_directory(path, ignored) &&
         !fs::exists(path / kStateFile, ignored);
}

const char* expected(Wanted wanted) {
  switch (wanted) {
    case Wanted::kRecognizer:
      return "a recognizer .safetensors, a run of `raven finetune`, or one of its checkpoints";
    case Wanted::kVideoEncoder:
    case Wanted::kAudioEncoder:
      return "an encoder .safetensors, a run, or one of its checkpoints";
    case Wanted::kModels:
    case Wanted::kCheckpoint:
      break;
  }
  return "a run, one of its checkpoints, or a file of weights";
}

Kind kind_of(const fs::path& path, Wanted wanted) {
  std::error_code ignored;
  if (fs::is_directory(path / kCheckpoints, ignored)) return Kind::kRun;
  if (is_checkpoints_folder(path)) return Kind::kCheckpointsFolder;
  const auto type = fs::status(path, ignored).type();
  if (type == fs::file_type::directory) return Kind::kCheckpoint;
  if (type != fs::file_type::not_found) return Kind::kFile;
  if (exists_or_waits(path)) return Kind::kCheckpoint;
  throw CheckpointError(
      fmt::format("{}: no such file or folder; expected {}", path.string(), expected(wanted)));
}

std::string encoder_file(Modality modality) {
  return "encoders/" + modality_name(modality) + ".safetensors";
}

/// Files of a finished run, the better ones first; those in one group stand for it together.
std::vector<std::vector<std::string>> results(Wanted wanted) {
  const auto video = encoder_file(Modality::kVideo), audio = encoder_file(Modality::kAudio);
  switch (wanted) {
    case Wanted::kModels:
      return {{video, audio}, {kRecognizerFile}, {kLanguageModelFile}};
    case Wanted::kRecognizer:
      return {{kRecognizerFile}};
    case Wanted::kVideoEncoder:
      return {{video}, {kRecognizerFile}};
    case Wanted::kAudioEncoder:
      return {{audio}, {kRecognizerFile}};
    case Wanted::kCheckpoint:
      break;
  }
  return {};
}

ModelSource open_file(const fs::path& file) {
  return {.path = file,
          .file = file,
          .folder = fs::absolute(file).parent_path(),
          .state = {},
          .weights = weights::open_weights(file)};
}

ModelSource verified(ModelSource source) {
  weights::verify(source.file, source.weights.content);
  return source;
}

ModelSource from_checkpoint(Checkpoint checkpoint) {
  return {.path = checkpoint.folder,
          .file = checkpoint.folder / kModelFile,
          .folder = checkpoint.folder.parent_path().parent_path(),
          .state = std::move(checkpoint.state),
          .weights = {.content = std::move(checkpoint.model), .values = {}}};
}

/// False when the run has gone on since it wrote that result.
bool is_current(const ModelSource& result, LastCheckpoint& last) {
  const auto& content = result.weights.content;
  const auto run_step = content.said(weights::kRunStep);
  const auto made_at = run_step.empty() ? content.said(weights::kStep) : run_step;
  const auto step = last.step();
  if (!step || made_at.empty() || made_at == std::to_string(*step)) return true;
  log::info("{} is of step {}, the run has gone on to step {}: its last checkpoint is taken",
            result.path.string(), made_at, *step);
  return false;
}

std::vector<ModelSource> open_run(const fs::path& run, Wanted wanted) {
  LastCheckpoint last(run);
  for (const auto& group : results(wanted)) {
    std::vector<ModelSource> sources;
    for (const auto& name : group) {
      if (!fs::exists(run / name)) continue;
      auto result = open_file(run / name);
      if (is_current(result, last)) sources.push_back(verified(std::move(result)));
    }
    if (!sources.empty()) return sources;
  }
  std::vector<ModelSource> sources;
  sources.push_back(from_checkpoint(last.read(CheckpointPart::kModel)));
  return sources;
}

}  // namespace

std::string ModelSource::step() const {
  return state ? std::to_string(state->step) : weights.content.said(weights::kStep);
}

Wanted wanted_encoder(Modality modality) {
  return modality == Modality::kVideo ? Wanted::kVideoEncoder : Wanted::kAudioEncoder;
}

std::vector<ModelSource> open_sources(const fs::path& path, Wanted wanted) {
  std::vector<ModelSource> sources;
  switch (kind_of(path, wanted)) {
    case Kind::kRun:
      return open_run(path, wanted);
    case Kind::kCheckpointsFolder:
      sources.push_back(from_checkpoint(read_checkpoint(path / kLast, CheckpointPart::kModel)));
      break;
    case Kind::kCheckpoint:
      sources.push_back(from_checkpoint(read_checkpoint(path, CheckpointPart::kModel)));
      break;
    case Kind::kFile:
      sources.push_back(verified(open_file(path)));
      break;
  }
  return sources;
}

ModelSource open_source(const fs::path& path, Wanted wanted) {
  RAVEN_CHECK(wanted != Wanted::kModels, "several models are wanted where one is");
  return std::move(open_sources(path, wanted).front());
}

config::FlatConfig told_settings(const fs::path& path, Wanted wanted) {
  const auto of_file = [](const fs::path& file) {
    return file.extension() == ".safetensors" ? weights::read_safetensors_metadata(file)
                                              : weights::settings_beside(file).settings;
  };
  const auto kind = kind_of(path, wanted);
  if (kind == Kind::kFile) return of_file(path);
  if (kind == Kind::kRun) {
    for (const auto& group : results(wanted)) {
      for (const auto& name : group) {
        if (fs::exists(path / name)) return of_file(path / name);
      }
    }
  }
  const auto checkpoint = find_source(path);
  if (!fs::exists(checkpoint / kStateFile)) return {};  // is said by whoever opens it
  return read_state_file(checkpoint / kStateFile).state.config;
}

fs::path find_source(const fs::path& path) {
  switch (kind_of(path, Wanted::kCheckpoint)) {
    case Kind::kRun:
      return resolve_checkpoint(path / kCheckpoints / kLast);
    case Kind::kCheckpointsFolder:
      return resolve_checkpoint(path / kLast);
    case Kind::kCheckpoint:
      return resolve_checkpoint(path);
    case Kind::kFile:
      break;
  }
  return path;
}

}  // namespace raven::artifacts
