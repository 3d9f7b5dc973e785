// Where the weights of an encoder come from: files and folders that pre-training and fine-tuning
// leave.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "raven/artifacts/run_folder.h"
#include "raven/models/encoder.h"
#include "raven/weights/model_card.h"
#include "raven/weights/safetensors.h"

namespace raven::artifacts {

struct EncoderSource {
  std::filesystem::path path;                  // what was read
  std::string step;                            // of the run that made it; empty: not told
  weights::TensorFile encoder;                 // bare state-dict names, with the file's metadata
  std::map<std::string, std::int64_t> others;  // further tensors of the file, counted by the first
                                               // part of their names: "decoder", "teacher_audio"
};

/// `path` is
/// - a .safetensors file of an encoder or a recognizer (names with or without `encoder.`),
/// - a .pth of either that `raven import` would take,
/// - a checkpoint folder of pre-training (the student of that modality) or of fine-tuning,
/// - a run's folder: its encoders/<modality>.safetensors or recognizer when it is finished, else
///   its newest checkpoint.
/// Throws CheckpointError when there is nothing of the kind, or the file says that it is of the
/// other modality.
EncoderSource open_encoder(const std::filesystem::path& path, models::Modality modality);

/// Its tensors alone.
weights::TensorFile read_encoder(const std::filesystem::path& path, models::Modality modality);

/// Throws CheckpointError when a file's metadata say that it is of the other modality.
void check_modality(const weights::TensorFile& file, models::Modality modality,
                    const std::filesystem::path& path);

}  // namespace raven::artifacts
