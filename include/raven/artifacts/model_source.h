// What a path stands for that a user gives as a model: a run, one of its checkpoints, or a file of
// weights. It is found out, opened and verified here alone, once a command; the rest of raven works
// on what was opened.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "raven/artifacts/checkpoint.h"
#include "raven/config/flat_config.h"
#include "raven/models/encoder.h"
#include "raven/weights/weights_file.h"

namespace raven::artifacts {

/// Which results of a finished run stand for it. A run that is not finished, or that has gone on
/// since, is its newest checkpoint; and so is every run where that is what is wanted.
enum class Wanted {
  kModels,        // both encoders, or else the recognizer or language model
  kRecognizer,    // the recognizer
  kVideoEncoder,  // that encoder, or else the recognizer
  kAudioEncoder,
  kCheckpoint,
};

/// The encoder of that modality.
Wanted wanted_encoder(models::Modality modality);

struct ModelSource {
  std::filesystem::path path;       // what was read, for messages: a checkpoint's folder or a file
  std::filesystem::path file;       // of weights
  std::filesystem::path folder;     // where results belong: the checkpoint's run, the file's folder
  std::optional<TrainState> state;  // of a checkpoint
  weights::WeightsFile weights;     // opened and verified; a checkpoint's model

  /// Made by PyTorch: what the tensors are is told by their names and shapes (import_model).
  [[nodiscard]] bool is_archive() const {
    return weights.format != weights::WeightsFormat::kSafetensors;
  }
  /// After how many steps of its run it was made; empty where nothing tells.
  [[nodiscard]] std::string step() const;
};

/// Opens what `path` stands for: several sources only for kModels. Throws CheckpointError when
/// there is nothing, or it is damaged or no weights.
std::vector<ModelSource> open_sources(const std::filesystem::path& path, Wanted wanted);
ModelSource open_source(const std::filesystem::path& path, Wanted wanted);

/// What the source that `path` stands for says of itself, without its tensors, which are not
/// verified: a file's metadata (of a .pth, the settings beside it), or the configuration of the run
/// that made a checkpoint. Empty where nothing is told. Throws CheckpointError as open_source().
config::FlatConfig told_settings(const std::filesystem::path& path, Wanted wanted);

/// Without opening anything: `path` itself when it is a file, else the folder of the checkpoint,
/// damaged or not, that it or a run stands for. Throws CheckpointError when there is nothing.
std::filesystem::path find_source(const std::filesystem::path& path);

}  // namespace raven::artifacts
