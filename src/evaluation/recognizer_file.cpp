#include "raven/evaluation/recognizer_file.h"

#include "evaluation/model_sizes.h"
#include "raven/artifacts/checkpoint.h"
#include "raven/artifacts/recognizer_source.h"
#include "raven/config/evaluate_config.h"
#include "raven/core/error.h"
#include "raven/core/files.h"
#include "raven/data/modality.h"
#include "raven/nn/state_dict.h"
#include "raven/weights/model_settings.h"

namespace raven::evaluation {
namespace {

namespace fs = std::filesystem;

using artifacts::RecognizerSource;

std::string required(const RecognizerSource& source, const std::string& key) {
  if (auto value = source.content.said(key); !value.empty()) return value;
  if (key == "units" && !source.content.said("vocabulary").empty()) {
    throw CheckpointError(fmt::format(
        "{}: does not hold its {} units; import the published file again with --units, or put its "
        "units file beside it as {}{}",
        source.path.string(), source.content.said("vocabulary"), source.path.stem().string(),
        text::Units::kBeside));
  }
  throw CheckpointError(fmt::format(
      "{}: says no '{}' of itself, so it is no recognizer that can be used by itself; `raven "
      "finetune`, `raven average`, `raven import` and `raven export` write such files",
      source.path.string(), key));
}

std::vector<std::string> decoding_of(const RecognizerSource& source) {
  auto metadata = source.content.metadata;
  for (const auto& key : weights::kDecodingOfACall) metadata.erase(key);
  auto overrides = weights::settings_in<config::EvaluateConfig>(metadata, "decode.");
  weights::with_settings<config::EvaluateConfig>(source.path,
                                                 overrides);  // refuses by the file's name
  return overrides;
}

}  // namespace

RecognizerFile open_recognizer(const fs::path& path) {
  auto source = artifacts::read_recognizer(path);
  auto units = text::Units::parse(required(source, "units"), source.path.string() + ", units");
  auto settings = weights::ModelSettings::from_metadata(
      source.content.metadata, weights::modality_named(required(source, "modality"), source.path),
      source.path);
  check_encoder_sizes(source.path, source.content, "encoder.", settings);
  check_decoder_sizes(source.path, source.content, settings, units.size());
  auto decoding = decoding_of(source);
  return {.file = std::move(source.path),
          .folder = std::move(source.folder),
          .content = std::move(source.content),
          .units = std::move(units),
          .settings = std::move(settings),
          .decoding = std::move(decoding)};
}

LoadedRecognizer load_recognizer(const RecognizerFile& opened) {
  const auto& settings = opened.settings;
  models::Recognizer recognizer(models::RecognizerOptions{.modality = settings.modality,
                                                          .encoder = settings.encoder,
                                                          .frontend = settings.frontend,
                                                          .decoder = settings.decoder,
                                                          .units = opened.units.size()});
  artifacts::load_strictly(opened.content, nn::state_dict(*recognizer), opened.file.string());
  recognizer->eval();
  return {.recognizer = recognizer,
          .units = opened.units,
          .settings = opened.settings,
          .decoding = opened.decoding,
          .file = opened.file,
          .checksum = checksum_text(opened.content.mapping->checksum()),
          .metadata = opened.content.metadata,
          .folder = opened.folder};
}

LoadedRecognizer load_recognizer(const fs::path& path) {
  return load_recognizer(open_recognizer(path));
}

void require_input(const data::Manifest& manifest, models::Modality modality,
                   const std::string& model) {
  const bool hears = modality == models::Modality::kAudio;
  data::require_modalities(
      manifest, {.video = !hears, .audio = hears},
      fmt::format("the {} recognizer {}", hears ? "speech" : "lip-reading", model));
}

}  // namespace raven::evaluation
