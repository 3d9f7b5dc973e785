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
#include "raven/weights/model_settings.h"
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

/// The same for an encoder with or without a mask token of pre-training (ablation), beside which
/// the projection has another name. A token that is not wanted counts among `others`.
EncoderSource open_encoder(const std::filesystem::path& path, models::Modality modality,
                           bool mask_token);

/// weights::kStartedStep, where it is told, and weights::kStartedSha256 of the file that `content`
/// was read from.
weights::Metadata origin_of(const std::string& step, const weights::TensorFile& content);

/// Copies an encoder into a student of pre-training: all of it, its after_norm as well, but for a
/// mask token or an after_norm that the file does not have, which are left as they are. `key` names
/// the setting that asks for it, for the log. Throws CheckpointError with the first missing,
/// misshapen and unexpected names; nothing is copied then.
void apply_to_student(const EncoderSource& source, models::Encoder& student,
                      const std::string& key);

/// Its tensors alone.
weights::TensorFile read_encoder(const std::filesystem::path& path, models::Modality modality);

/// Throws CheckpointError when a file's metadata say that it is of the other modality.
void check_modality(const weights::TensorFile& file, models::Modality modality,
                    const std::filesystem::path& path);

}  // namespace raven::artifacts
