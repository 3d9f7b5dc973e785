#include "raven/weights/model_settings.h"

#include <cstdlib>

#include "raven/config/decode_config.h"
#include "raven/config/finetune_config.h"
#include "raven/core/utf8.h"

namespace raven::weights {
namespace {

constexpr const char* kEncoderKeys = "model.encoder.";
constexpr const char* kDecoderKeys = "model.decoder.";
constexpr const char* kVideoKeys = "data.video.";
constexpr const char* kWaveformKey = "data.waveform";
constexpr const char* kWholeSoundKey = "data.whole_sound";
constexpr const char* kCtcWeightKey = "loss.ctc_weight";
constexpr const char* kDecodingKeys = "decode.";
constexpr double kPublishedCtcWeight = 0.1;

std::string frontend_keys(models::Modality modality) {
  return fmt::format("model.{}_frontend.", config::modality_name(modality));
}

/// `model.encoder.*` as the encoder of this modality has them. A network's key without a value says
/// nothing.
Metadata of_modality(Metadata metadata, models::Modality modality) {
  std::erase_if(metadata, [](const auto& item) {
    return item.first.starts_with("model.") && item.second == "null";
  });
  const auto own = fmt::format("model.{}_encoder.", config::modality_name(modality));
  for (const auto& [key, value] : Metadata(metadata)) {
    if (!key.starts_with(own)) continue;
    metadata[kEncoderKeys + key.substr(own.size())] = value;
    metadata.erase(key);
  }
  return metadata;
}

void add(Metadata& metadata, Metadata more) { metadata.merge(more); }

/// The settings of all published numbers for a recognizer trained with both losses; what remains of
/// them for one that was trained with one.
Metadata decoding(double ctc_weight) {
  config::DecodeConfig decode;
  if (ctc_weight >= 1) decode.kind = config::DecodeKind::kGreedyCtc;
  if (ctc_weight <= 0) decode.kind = config::DecodeKind::kAttention;
  auto keys = config::flatten(decode, kDecodingKeys);
  for (const auto* key : kDecodingOfACall) keys.erase(key);
  return keys;
}

constexpr const char* kModelKeys = "model.";

/// The settings of a language model among those of its run.
struct LanguageModelSettings {
  config::LanguageModelConfig model;

  template <class Visitor>
  static void fields(Visitor& v) {
    v.group("model", &LanguageModelSettings::model, "network");
  }
  void check() const {}
};

}  // namespace

std::string_view format_of(ModelKind kind) {
  switch (kind) {
    case ModelKind::kRecognizer:
      return "raven-recognizer";
    case ModelKind::kEncoder:
      return "raven-encoder";
    case ModelKind::kLanguageModel:
      return "raven-language-model";
  }
  return "";
}

models::Modality modality_named(const std::string& name, const std::filesystem::path& file) {
  for (const auto modality : config::kModalities) {
    if (config::modality_name(modality) == name) return modality;
  }
  throw CheckpointError(fmt::format("{}: its modality is '{}', expected video or audio",
                                    file.string(), printable(name)));
}

void describe_input(models::Modality modality, const std::string& waveform, Metadata& metadata) {
  const bool video = modality == models::Modality::kVideo;
  metadata["modality"] = config::modality_name(modality);
  const char* of_sound = waveform == "clip" ? "each clip to mean 0 and standard deviation 1"
                                            : "samples in [-1, 1], as they are";
  metadata["normalisation"] = video ? "(x / 255 - 0.421) / 0.165" : of_sound;
}

std::string of_student(const std::string& key, models::Modality modality) {
  return key + "_" + config::modality_name(modality);
}

Metadata card_of_student(const Metadata& card, models::Modality modality) {
  auto own = card;
  for (const char* key : kStarted) {
    for (const auto one : config::kModalities) own.erase(of_student(key, one));
    const auto found = card.find(of_student(key, modality));
    if (found != card.end()) own[key] = found->second;
  }
  return own;
}

void keep_encoder(Metadata& metadata) {
  metadata["format"] = format_of(ModelKind::kEncoder);
  std::erase_if(metadata, [](const auto& item) {
    const auto& key = item.first;
    return key == "units" || key == "vocabulary" || key.starts_with(kDecodingKeys) ||
           key.starts_with(kDecoderKeys) || key.starts_with("loss.");
  });
}

ModelSettings ModelSettings::from_metadata(const Metadata& given, models::Modality modality,
                                           const std::filesystem::path& file) {
  const auto metadata = of_modality(given, modality);
  auto overrides = settings_in<config::FinetuneConfig>(metadata, "model.");
  for (const char* of_data : {kVideoKeys, kWaveformKey, kWholeSoundKey, kCtcWeightKey}) {
    for (auto& one : settings_in<config::FinetuneConfig>(metadata, of_data))
      overrides.push_back(std::move(one));
  }
  std::erase_if(overrides, [](const auto& one) { return one.starts_with("model.init"); });
  overrides.push_back("model.modality=" + config::modality_name(modality));
  const auto config = with_settings<config::FinetuneConfig>(file, overrides);
  ModelSettings settings;
  settings.modality = modality;
  settings.encoder = config.model.encoder;
  settings.frontend = config.frontend();
  settings.decoder = config.model.decoder;
  settings.video = config.data.video;
  settings.waveform = config.data.waveform;
  settings.whole_sound = config.data.whole_sound;
  if (metadata.contains(kCtcWeightKey)) settings.ctc_weight = config.loss.ctc_weight;
  if (const auto units = metadata.find("units"); units != metadata.end())
    settings.units = units->second;
  if (const auto size = metadata.find("vocabulary"); size != metadata.end())
    settings.vocabulary = std::strtoll(size->second.c_str(), nullptr, 10);
  const auto typed = settings.to_metadata(ModelKind::kRecognizer);
  for (const auto& [key, value] : metadata) {
    const bool starts = key.starts_with("model.init");  // of the run that made it, not of the model
    if (key.starts_with("model.") && !starts && !typed.contains(key)) settings.others[key] = value;
  }
  return settings;
}

config::LanguageModelConfig language_model_of(const Metadata& metadata,
                                              const std::filesystem::path& file) {
  const auto model = with_settings<LanguageModelSettings>(
                         file, settings_in<LanguageModelSettings>(metadata, kModelKeys))
                         .model;
  if (model.dim % model.heads != 0) {
    throw CheckpointError(fmt::format("{}: says model.heads {}, which does not divide model.dim {}",
                                      file.string(), model.heads, model.dim));
  }
  return model;
}

Metadata language_model_metadata(const config::LanguageModelConfig& model, std::int64_t num_units,
                                 const std::string& units) {
  Metadata metadata = config::flatten(model, kModelKeys);
  metadata["format"] = format_of(ModelKind::kLanguageModel);
  metadata["format_version"] = "1";
  metadata["vocabulary"] = fmt::format("{}", num_units);
  if (!units.empty()) metadata["units"] = units;
  return metadata;
}

Metadata ModelSettings::to_metadata(ModelKind kind) const {
  const bool whole = kind == ModelKind::kRecognizer;
  Metadata metadata = {{"format", std::string(format_of(kind))}, {"format_version", "1"}};
  metadata[kWaveformKey] = config::enum_name(waveform);
  if (hears_whole_sound()) metadata[kWholeSoundKey] = "true";
  describe_input(modality, metadata.at(kWaveformKey), metadata);
  add(metadata, config::flatten(encoder, kEncoderKeys));
  add(metadata, config::flatten(frontend, frontend_keys(modality)));
  add(metadata, config::flatten(video, kVideoKeys));
  for (const auto& [key, value] : others) {
    if (!whole || key.find("_frontend.") != std::string::npos) metadata[key] = value;
  }
  if (!whole) return metadata;
  add(metadata, config::flatten(decoder, kDecoderKeys));
  add(metadata, decoding(ctc_weight.value_or(kPublishedCtcWeight)));
  if (ctc_weight) metadata[kCtcWeightKey] = fmt::format("{}", *ctc_weight);
  if (!units.empty()) metadata["units"] = units;
  if (vocabulary > 0) metadata["vocabulary"] = fmt::format("{}", vocabulary);
  return metadata;
}

}  // namespace raven::weights
