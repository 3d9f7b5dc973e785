#include "raven/train/model_export.h"

#include "raven/core/error.h"
#include "raven/text/units.h"
#include "raven/train/checkpoint.h"
#include "raven/train/encoder_source.h"
#include "raven/train/finetune_task.h"
#include "raven/weights/model_import.h"
#include "raven/weights/verify.h"
#include "raven/weights/weights_file.h"

namespace raven::train {
namespace {

namespace fs = std::filesystem;
using config::modality_name;

constexpr const char* kEncoder = "encoder.";

/// Tensors whose names begin with `from`, which becomes `to`.
weights::TensorFile renamed(const weights::TensorFile& file, const std::string& from,
                            const std::string& to) {
  weights::TensorFile part{.mapping = file.mapping};
  for (const auto& [name, tensor] : file.tensors) {
    if (name.rfind(from, 0) == 0) part.tensors.emplace_back(to + name.substr(from.size()), tensor);
  }
  return part;
}

ExportedModel read_model_file(const fs::path& path, const std::string& modality) {
  weights::TensorFile file = weights::open_weights(path).content;
  weights::verify(path, file);
  if (file.said("format").empty()) {
    file = weights::import_model(path, {.modality = modality}).file;
  }
  const auto format = file.said("format");
  std::string name;
  if (format == "raven-encoder") name = file.said("modality");
  if (format == "raven-recognizer") name = "recognizer";
  if (format == "raven-language-model") name = "language_model";
  if (name.empty()) {
    throw CheckpointError(
        fmt::format("{}: is a '{}', expected an encoder, a recognizer or a "
                    "language model",
                    path.string(), format));
  }
  return {.name = name, .file = std::move(file), .source = path};
}

std::vector<ExportedModel> read_checkpoint_models(const fs::path& folder) {
  const auto checkpoint = read_checkpoint(folder);
  const auto source = checkpoint.folder / kModelFile;
  std::vector<ExportedModel> models;
  for (const auto modality : config::kModalities) {
    const auto name = modality_name(modality);
    auto file = renamed(checkpoint.model, "student_" + name + ".", kEncoder);
    if (file.tensors.empty()) continue;
    file.metadata = encoder_metadata(checkpoint.state.config, modality);
    file.metadata["step"] = fmt::format("{}", checkpoint.state.step);
    models.push_back({.name = name, .file = std::move(file), .source = source});
  }
  if (!models.empty()) return models;
  const auto units = units_of(checkpoint);
  if (!units) {
    const auto run = checkpoint.folder.parent_path().parent_path();
    throw CheckpointError(
        fmt::format("{}: has no students of pre-training, and no vocabulary of fine-tuning in {}",
                    folder.string(), (run / kUnitsFile).string()));
  }
  auto file = checkpoint.model;
  file.metadata = recognizer_metadata(checkpoint.state.config, *units);
  file.metadata["step"] = fmt::format("{}", checkpoint.state.step);
  return {{.name = "recognizer", .file = std::move(file), .source = source}};
}

}  // namespace

std::vector<ExportedModel> read_models(const fs::path& given, const std::string& modality) {
  auto path = resolve_checkpoint(given);
  if (fs::is_directory(path / "checkpoints")) {  // a run
    std::vector<ExportedModel> finished;
    for (const auto one : config::kModalities) {
      const auto file = finished_file(path, "encoders/" + modality_name(one) + ".safetensors");
      if (file) finished.push_back(read_model_file(*file, ""));
    }
    if (!finished.empty()) return finished;
    path = finished_file(path, kRecognizerFile)
               .value_or(resolve_checkpoint(path / "checkpoints" / "last"));
  }
  if (!fs::exists(path)) {
    throw CheckpointError(fmt::format(
        "{}: no such file or folder; expected a run, a checkpoint folder or a file of weights",
        path.string()));
  }
  if (fs::is_directory(path)) return read_checkpoint_models(path);
  return {read_model_file(path, modality)};
}

ExportedModel encoder_of(const ExportedModel& recognizer) {
  const auto modality = recognizer.file.said("modality");
  if (recognizer.name != "recognizer" || modality.empty()) {
    throw CheckpointError(
        fmt::format("a model named '{}' has no encoder to take out", recognizer.name));
  }
  auto file = renamed(recognizer.file, kEncoder, kEncoder);
  file.metadata = recognizer.file.metadata;
  file.metadata["format"] = "raven-encoder";
  for (auto item = file.metadata.begin(); item != file.metadata.end();) {
    const auto& key = item->first;
    const bool of_text = key == "units" || key == "vocabulary" || key.rfind("decode.", 0) == 0 ||
                         key.rfind("model.decoder.", 0) == 0 || key.rfind("loss.", 0) == 0;
    item = of_text ? file.metadata.erase(item) : std::next(item);
  }
  return {.name = modality, .file = std::move(file), .source = recognizer.source};
}

weights::TensorFile published_names(const ExportedModel& model) {
  if (model.name != "video" && model.name != "audio") return model.file;
  return renamed(model.file, kEncoder, "");
}

}  // namespace raven::train
