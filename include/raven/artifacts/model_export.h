// The models of runs, checkpoints and files, one by one, as they are handed on.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "raven/weights/safetensors.h"

namespace raven::artifacts {

struct ExportedModel {
  std::string name;                   // "video", "audio" (encoders), "recognizer", "language_model"
  weights::TensorFile file;           // encoders' names begin with `encoder.`; with metadata and
                                      // the file that was read
  std::filesystem::path source = {};  // the file of weights that was read
};

/// What `path` holds, with all that is needed to use it:
/// - a run of pre-training, or one of its checkpoints: its students,
/// - a run of fine-tuning, or one of its checkpoints: the recognizer; of a finished run the mean of
///   its last checkpoints,
/// - a run of language model training, or one of its checkpoints: the language model,
/// - a file: its model, if raven wrote it or `raven import` would take it.
/// `modality`: "video" or "audio", the half of an encoder for sight and sound that is taken; else
/// empty. Throws CheckpointError when it is none of these.
std::vector<ExportedModel> read_models(const std::filesystem::path& path,
                                       const std::string& modality = "");

/// The encoder of a recognizer, named after its modality. Throws CheckpointError for other models.
ExportedModel encoder_of(const ExportedModel& recognizer);

/// The tensors under the names that published code loads strictly: an encoder's are bare.
weights::TensorFile published_names(const ExportedModel& model);

}  // namespace raven::artifacts
