#include "raven/evaluation/language_model_file.h"

#include "evaluation/model_sizes.h"
#include "raven/artifacts/checkpoint.h"
#include "raven/artifacts/model_export.h"
#include "raven/artifacts/vocabulary.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/nn/state_dict.h"
#include "raven/weights/model_settings.h"

namespace raven::evaluation {
namespace {

namespace fs = std::filesystem;

/// What the metadata say of the network.
struct FileSettings {
  config::LanguageModelConfig model;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.group("model", &FileSettings::model, "network");
  }
  void check() const {}
};

artifacts::ExportedModel read_language_model(const fs::path& path) {
  auto models = artifacts::read_models(path);
  for (auto& model : models) {
    if (model.name == "language_model") return std::move(model);
  }
  throw CheckpointError(fmt::format("{}: holds a model named '{}', expected a language model",
                                    path.string(), models.front().name));
}

}  // namespace

LoadedLanguageModel load_language_model(const fs::path& path) {
  auto found = read_language_model(path);
  const auto& metadata = found.file.metadata;
  const auto settings = weights::with_settings<FileSettings>(
      found.source, weights::settings_in<FileSettings>(metadata, "model."));
  if (settings.model.dim % settings.model.heads != 0) {
    throw CheckpointError(fmt::format("{}: says model.heads {}, which does not divide model.dim {}",
                                      found.source.string(), settings.model.heads,
                                      settings.model.dim));
  }
  const auto num_units = check_language_model_sizes(found.source, found.file, settings.model);
  LoadedLanguageModel loaded;
  loaded.model = models::LanguageModel(settings.model, num_units);
  artifacts::load_strictly(found.file, nn::state_dict(*loaded.model), found.source.string());
  loaded.model->eval();
  loaded.units = found.file.said("units");
  if (const auto beside = artifacts::units_beside(found.source);
      loaded.units.empty() && beside && beside->size() == num_units)
    loaded.units = beside->text();
  loaded.file = found.source;
  loaded.checksum = checksum_text(found.file.mapping->checksum());
  return loaded;
}

void check_same_units(const LoadedLanguageModel& model, const text::Units& units,
                      const std::string& recognizer) {
  if (model.model->num_units() != units.size()) {
    throw ConfigError(
        fmt::format("{} knows {} units, {} {}; a language model and a recognizer that are searched "
                    "together are trained with the same units",
                    model.file.string(), model.model->num_units(), recognizer, units.size()));
  }
  if (model.units.empty()) return;
  const auto known = text::Units::parse(model.units, model.file.string() + ", units");
  if (known.text() != units.text()) {
    throw ConfigError(fmt::format(
        "the units of {} (its own, or those of the units file beside it) are others than those of "
        "{}, though as many; a language model and a recognizer that are searched together are "
        "trained with the same units",
        model.file.string(), recognizer));
  }
}

}  // namespace raven::evaluation
