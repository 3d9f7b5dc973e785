#include "raven/artifacts/model_export.h"

#include "raven/artifacts/encoder_source.h"
#include "raven/artifacts/model_source.h"
#include "raven/artifacts/run_files.h"
#include "raven/artifacts/vocabulary.h"
#include "raven/core/error.h"
#include "raven/text/units.h"
#include "raven/weights/model_import.h"

namespace raven::artifacts {
namespace {

namespace fs = std::filesystem;
using config::modality_name;

constexpr const char* kEncoder = "encoder.";
constexpr const char* kLanguageModel = "language_model";

/// Tensors whose names begin with `from`, which becomes `to`.
weights::TensorFile renamed(const weights::TensorFile& file, const std::string& from,
                            const std::string& to) {
  weights::TensorFile part{.mapping = file.mapping};
  for (const auto& [name, tensor] : file.tensors) {
    if (name.rfind(from, 0) == 0) part.tensors.emplace_back(to + name.substr(from.size()), tensor);
  }
  return part;
}

ExportedModel model_of_file(ModelSource source, const std::string& modality) {
  const auto& path = source.path;
  auto file =
      source.weights.content.said("format").empty()
          ? weights::import_model(path, std::move(source.weights), {.modality = modality}).file
          : std::move(source.weights.content);
  const auto format = file.said("format");
  std::string name;
  if (format == weights::format_of(weights::ModelKind::kEncoder)) name = file.said("modality");
  if (format == weights::format_of(weights::ModelKind::kRecognizer)) name = "recognizer";
  if (format == weights::format_of(weights::ModelKind::kLanguageModel)) name = kLanguageModel;
  if (name.empty()) {
    throw CheckpointError(
        fmt::format("{}: is a '{}', expected an encoder, a recognizer or a language model",
                    path.string(), format));
  }
  return {.name = name, .file = std::move(file), .source = path};
}

std::vector<ExportedModel> models_of_checkpoint(ModelSource source) {
  const auto& state = *source.state;
  std::vector<ExportedModel> models;
  for (const auto modality : config::kModalities) {
    const auto name = modality_name(modality);
    auto file = renamed(source.weights.content, "student_" + name + ".", kEncoder);
    if (file.tensors.empty()) continue;
    file.metadata = weights::ModelSettings::from_metadata(state.config, modality, source.path)
                        .to_metadata(weights::ModelKind::kEncoder);
    file.metadata.merge(weights::card_of_student(state.card, modality));
    file.metadata[weights::kStep] = fmt::format("{}", state.step);
    if (state.length > 0) file.metadata[weights::kSteps] = fmt::format("{}", state.length);
    models.push_back({.name = name, .file = std::move(file), .source = source.file});
  }
  if (!models.empty()) return models;
  const auto units = units_of(source.path, state);
  if (!units) {
    throw CheckpointError(
        fmt::format("{}: has no students of pre-training, and no vocabulary of another stage in {}",
                    source.path.string(), (source.folder / kUnitsFile).string()));
  }
  auto file = std::move(source.weights.content);
  const bool is_recognizer = state.config.contains("model.modality");
  file.metadata = is_recognizer ? recognizer_metadata(state, *units, source.path)
                                : language_model_metadata(state.config, *units, source.path);
  file.metadata[weights::kStep] = fmt::format("{}", state.step);
  models.push_back({.name = is_recognizer ? "recognizer" : kLanguageModel,
                    .file = std::move(file),
                    .source = source.file});
  return models;
}

}  // namespace

std::vector<ExportedModel> read_models(const fs::path& path, const std::string& modality) {
  std::vector<ExportedModel> models;
  for (auto& source : open_sources(path, Wanted::kModels)) {
    if (source.state) return models_of_checkpoint(std::move(source));
    models.push_back(model_of_file(std::move(source), modality));
  }
  return models;
}

ExportedModel encoder_of(const ExportedModel& recognizer) {
  const auto modality = recognizer.file.said("modality");
  if (recognizer.name != "recognizer" || modality.empty()) {
    throw CheckpointError(
        fmt::format("a model named '{}' has no encoder to take out", recognizer.name));
  }
  auto file = renamed(recognizer.file, kEncoder, kEncoder);
  file.metadata = recognizer.file.metadata;
  weights::keep_encoder(file.metadata);
  return {.name = modality, .file = std::move(file), .source = recognizer.source};
}

weights::TensorFile published_names(const ExportedModel& model) {
  if (model.name != "video" && model.name != "audio") return model.file;
  return renamed(model.file, kEncoder, "");
}

}  // namespace raven::artifacts
