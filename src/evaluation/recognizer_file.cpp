#include "raven/evaluation/recognizer_file.h"

#include <map>

#include "raven/config/load.h"
#include "raven/core/error.h"
#include "raven/nn/state_dict.h"
#include "raven/train/checkpoint.h"
#include "raven/train/finetune_task.h"
#include "raven/weights/safetensors.h"

namespace raven::evaluation {
namespace {

namespace fs = std::filesystem;

struct Source {
  fs::path file, folder;
  weights::TensorFile content;  // with a recognizer's metadata
};

Source read_source(const fs::path& given) {
  auto path = given;
  if (fs::is_directory(path / "checkpoints")) {  // a run
    const auto finished = path / "recognizer.safetensors";
    path = fs::exists(finished) ? finished : fs::canonical(path / "checkpoints" / "last");
  }
  if (!fs::exists(path)) {
    throw CheckpointError(fmt::format(
        "{}: no such file or folder; expected a recognizer .safetensors, a run of `raven "
        "finetune`, or one of its checkpoints",
        path.string()));
  }
  Source source{.file = path, .folder = fs::absolute(path).parent_path(), .content = {}};
  if (!fs::is_directory(path)) {
    source.content = weights::read_safetensors(path);
    return source;
  }
  const auto checkpoint = train::read_checkpoint(path);
  source.folder = fs::canonical(path).parent_path().parent_path();
  const auto units = source.folder / train::kUnitsFile;
  if (!fs::exists(units)) {
    throw CheckpointError(
        fmt::format("{}: is no checkpoint of fine-tuning: there is no vocabulary in {}",
                    path.string(), units.string()));
  }
  source.content = checkpoint.model;
  source.content.metadata =
      train::recognizer_metadata(checkpoint.state.config, text::Units::read(units));
  return source;
}

const std::string& required(const Source& source, const std::string& key) {
  const auto found = source.content.metadata.find(key);
  if (found != source.content.metadata.end()) return found->second;
  throw CheckpointError(fmt::format(
      "{}: says no '{}' of itself, so it is no recognizer that can be used by itself; `raven "
      "finetune` and `raven average` write such files",
      source.file.string(), key));
}

/// Settings under configuration keys, as flatten() spells them.
config::FinetuneConfig config_of(const Source& source) {
  config::FinetuneConfig defaults;
  const auto schema = config::bind(defaults);
  std::vector<std::string> overrides = {"model.modality=" + required(source, "modality")};
  for (const auto& [key, value] : source.content.metadata) {
    if (schema.find(key) != nullptr) overrides.push_back(key + "=" + value);
  }
  try {
    return config::load_text<config::FinetuneConfig>("", source.file.string(), overrides,
                                                     {.allow_missing = true})
        .config;
  } catch (const ConfigError& error) {
    throw CheckpointError(fmt::format("{}: settings in its metadata cannot be used: {}",
                                      source.file.string(), error.what()));
  }
}

}  // namespace

LoadedRecognizer load_recognizer(const fs::path& path) {
  const auto source = read_source(path);
  auto units = text::Units::parse(required(source, "units"), source.file.string() + ", units");
  auto config = config_of(source);
  auto recognizer = train::make_recognizer(config, units.size());
  train::load_strictly(source.content, nn::state_dict(*recognizer), source.file.string());
  recognizer->eval();
  return {.recognizer = recognizer,
          .units = std::move(units),
          .config = std::move(config),
          .file = source.file,
          .folder = source.folder};
}

}  // namespace raven::evaluation
