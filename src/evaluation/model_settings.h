// Settings that the file of a model carries in its metadata, as configurations.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "raven/config/finetune_config.h"
#include "raven/config/load.h"
#include "raven/core/error.h"
#include "raven/weights/model_card.h"
#include "raven/weights/safetensors.h"

namespace raven::evaluation {

/// Settings of `Config` that metadata hold under their keys, as overrides; those whose key begins
/// with `prefix`.
template <class Config>
std::vector<std::string> settings_in(const weights::Metadata& metadata, const std::string& prefix) {
  Config defaults;
  const auto schema = config::bind(defaults);
  std::vector<std::string> overrides;
  for (const auto& [key, value] : metadata) {
    if (key.rfind(prefix, 0) == 0 && schema.find(key) != nullptr) {
      overrides.push_back(key + "=" + value);
    }
  }
  return overrides;
}

/// Throws CheckpointError naming `file` when a setting cannot be used.
template <class Config>
Config with_settings(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
  try {
    return config::load_text<Config>("", file.string(), overrides, {.allow_missing = true}).config;
  } catch (const ConfigError& error) {
    throw CheckpointError(fmt::format("{}: settings in its metadata cannot be used: {}",
                                      file.string(), error.what()));
  }
}

/// Shapes and input settings of an encoder or a recognizer of that modality; the rest are defaults.
config::FinetuneConfig model_config(const std::filesystem::path& file,
                                    const weights::Metadata& metadata, const std::string& modality);

/// A network is made before its tensors are compared with a file's, so what would make it large
/// must be in the file. These throw CheckpointError naming `file` and a tensor of another size than
/// the settings say. `prefix` stands before the encoder's names.
void check_encoder_sizes(const std::filesystem::path& file, const weights::TensorFile& content,
                         const std::string& prefix, const config::FinetuneConfig& config);
void check_decoder_sizes(const std::filesystem::path& file, const weights::TensorFile& content,
                         const config::FinetuneConfig& config, std::int64_t num_units);

}  // namespace raven::evaluation
