// Where the weights of an encoder come from: files and folders that pre-training and fine-tuning
// leave.
#pragma once

#include <filesystem>
#include <string>

#include "raven/artifacts/run_folder.h"
#include "raven/models/encoder.h"
#include "raven/weights/model_card.h"
#include "raven/weights/safetensors.h"

namespace raven::artifacts {

/// An encoder's tensors, bare state-dict names, with the file's metadata. `path` is
/// - a .safetensors file of an encoder or a recognizer (names with or without `encoder.`),
/// - a .pth of either that `raven import` would take,
/// - a checkpoint folder of pre-training (the student of that modality) or of fine-tuning,
/// - a run's folder: its encoders/<modality>.safetensors when it is finished, else its newest
///   checkpoint.
/// Throws CheckpointError when there is nothing of the kind, or the file says that it is of the
/// other modality.
weights::TensorFile read_encoder(const std::filesystem::path& path, models::Modality modality);

/// What a recognizer starts from: read_encoder() without after_norm, which is left as it is, and
/// without a pre-training mask token. Throws CheckpointError listing every missing, unexpected and
/// misshapen tensor.
void start_encoder(models::Encoder& encoder, const std::filesystem::path& path,
                   models::Modality modality);

}  // namespace raven::artifacts
