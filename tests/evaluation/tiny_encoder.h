// An encoder of three small blocks whose every number counts, as the files that commands take.
#pragma once

#include <filesystem>
#include <string>

#include "raven/artifacts/encoder_source.h"
#include "raven/nn/state_dict.h"
#include "raven/weights/model_settings.h"
#include "support/formula.h"
#include "train/tiny_config.h"

namespace raven::evaluation {

inline config::PretrainConfig tiny_settings() {
  auto config = train::tiny_config();
  config.model.encoder.blocks = 3;
  return config;
}

inline models::Encoder tiny_encoder(models::Modality modality, const std::string& salt = "a") {
  const auto config = tiny_settings().model;
  models::Encoder encoder(
      modality, config.encoder,
      modality == models::Modality::kVideo ? config.video_frontend : config.audio_frontend);
  formula::fill(*encoder, salt, "");
  encoder->eval();
  return encoder;
}

/// With names that begin with `prefix`.
inline weights::TensorFile tensors_of(const models::Encoder& encoder, const std::string& prefix) {
  weights::TensorFile file;
  for (const auto& [name, tensor] : nn::state_dict(*encoder))
    file.tensors.emplace_back(prefix + name, tensor.detach());
  return file;
}

inline std::filesystem::path write_encoder(const std::filesystem::path& file,
                                           const models::Encoder& encoder,
                                           models::Modality modality) {
  auto content = tensors_of(encoder, "encoder.");
  content.metadata =
      weights::ModelSettings::from_metadata(config::flatten(tiny_settings()), modality, "tiny")
          .to_metadata(weights::ModelKind::kEncoder);
  weights::write_safetensors(file, content);
  return file;
}

}  // namespace raven::evaluation
