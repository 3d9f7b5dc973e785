#include "raven/evaluation/encoder_file.h"

#include <algorithm>

#include "evaluation/model_sizes.h"
#include "raven/artifacts/checkpoint.h"
#include "raven/artifacts/encoder_source.h"
#include "raven/artifacts/model_export.h"
#include "raven/core/error.h"
#include "raven/nn/state_dict.h"
#include "raven/weights/weights_file.h"

namespace raven::evaluation {
namespace {

namespace fs = std::filesystem;
using config::EncoderChoice;

constexpr const char* kFinalNorm = "after_norm.";

/// The encoders among the models of `path`.
std::vector<artifacts::ExportedModel> encoders_in(const fs::path& path,
                                                  const std::string& modality) {
  std::vector<artifacts::ExportedModel> encoders;
  for (auto& model : artifacts::read_models(path, modality)) {
    if (model.name == "language_model") {
      throw CheckpointError(fmt::format(
          "{}: is a language model, expected an encoder or a recognizer", path.string()));
    }
    encoders.push_back(model.name == "recognizer" ? artifacts::encoder_of(model)
                                                  : std::move(model));
  }
  return encoders;
}

artifacts::ExportedModel choose(std::vector<artifacts::ExportedModel> encoders,
                                const std::string& modality, const fs::path& path) {
  if (modality.empty() && encoders.size() > 1) {
    throw ConfigError(fmt::format("{}: holds encoders of {} and {}; choose one with --modality",
                                  path.string(), encoders.front().name, encoders.back().name));
  }
  for (auto& encoder : encoders) {
    if (modality.empty() || encoder.name == modality) return std::move(encoder);
  }
  throw ConfigError(fmt::format("{}: holds an encoder of {}, modality asks for {}", path.string(),
                                encoders.front().name, modality));
}

bool is_of_final_norm(const std::pair<std::string, torch::Tensor>& one) {
  return one.first.rfind(kFinalNorm, 0) == 0;
}

LoadedEncoder loaded_from(const artifacts::ExportedModel& model) {
  const auto file = artifacts::published_names(model);
  LoadedEncoder loaded;
  loaded.file = model.source;
  loaded.settings = weights::ModelSettings::from_metadata(
      model.file.metadata, weights::modality_named(model.name, model.source), model.source);
  const auto& settings = loaded.settings;
  check_encoder_sizes(loaded.file, file, "", settings);
  loaded.encoder = models::Encoder(settings.modality, settings.encoder, settings.frontend);
  loaded.has_final_norm = std::ranges::any_of(file.tensors, is_of_final_norm);
  auto wanted = nn::state_dict(*loaded.encoder);
  if (!loaded.has_final_norm) std::erase_if(wanted, is_of_final_norm);
  artifacts::load_strictly(file, wanted, model.source.string());
  loaded.encoder->eval();
  loaded.sha256 = weights::sha256_and_verify(*model.file.mapping);
  return loaded;
}

}  // namespace

LoadedEncoder load_encoder(const fs::path& path, EncoderChoice choice) {
  const std::string modality(choice == EncoderChoice::kOnlyOne ? "" : config::enum_name(choice));
  return loaded_from(choose(encoders_in(path, modality), modality, path));
}

std::vector<LoadedEncoder> load_encoders(const fs::path& path, EncoderChoice choice) {
  std::vector<LoadedEncoder> encoders;
  if (choice != EncoderChoice::kOnlyOne) {
    encoders.push_back(load_encoder(path, choice));
    return encoders;
  }
  for (const auto& model : encoders_in(path, "")) encoders.push_back(loaded_from(model));
  return encoders;
}

}  // namespace raven::evaluation
