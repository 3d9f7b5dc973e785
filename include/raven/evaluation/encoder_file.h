// An encoder from a file, with all that it needs to be used.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "raven/config/features_config.h"
#include "raven/models/encoder.h"
#include "raven/weights/model_settings.h"

namespace raven::evaluation {

struct LoadedEncoder {
  models::Encoder encoder{nullptr};  // eval mode, on the CPU
  weights::ModelSettings settings;
  bool has_final_norm = true;  // some published encoders come without
  std::filesystem::path file;  // of weights
  std::string sha256;          // of the file
};

/// `path`: whatever artifacts::read_models() takes; of a recognizer its encoder. Throws ConfigError
/// when `choice` is not there or is needed and not given, CheckpointError when there is no encoder,
/// the file is damaged or lacks what it needs, or has tensors that do not fit its own settings.
LoadedEncoder load_encoder(const std::filesystem::path& path,
                           config::EncoderChoice choice = config::EncoderChoice::kOnlyOne);

/// The same; without a choice each encoder that is there, video first.
std::vector<LoadedEncoder> load_encoders(
    const std::filesystem::path& path,
    config::EncoderChoice choice = config::EncoderChoice::kOnlyOne);

}  // namespace raven::evaluation
