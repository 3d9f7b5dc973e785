// The sizes of a file's tensors against those that its settings say.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "raven/weights/model_settings.h"
#include "raven/weights/safetensors.h"

namespace raven::evaluation {

/// A network is made before its tensors are compared with a file's, so what would make it large
/// must be in the file. These throw CheckpointError naming `file` and a tensor of another size than
/// the settings say. `prefix` stands before the encoder's names.
void check_encoder_sizes(const std::filesystem::path& file, const weights::TensorFile& content,
                         const std::string& prefix, const weights::ModelSettings& settings);
void check_decoder_sizes(const std::filesystem::path& file, const weights::TensorFile& content,
                         const weights::ModelSettings& settings, std::int64_t num_units);

/// Returns the number of units.
std::int64_t check_language_model_sizes(const std::filesystem::path& file,
                                        const weights::TensorFile& content,
                                        const config::LanguageModelConfig& settings);

}  // namespace raven::evaluation
