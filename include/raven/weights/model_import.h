// Published weights as raven's own files: what a file of tensors is, told by names and shapes
// (docs/method.md), and the same tensors with all that is needed to use them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "raven/weights/model_settings.h"
#include "raven/weights/safetensors.h"
#include "raven/weights/weights_file.h"

namespace raven::weights {

struct ImportOptions {
  std::string modality;    // "video" or "audio", of a shared encoder (USR); else empty
  std::string units;       // content of a units file; empty: not known
  std::string licence;     // empty: not known
  std::int64_t heads = 0;  // of the decoder or language model, which shapes do not tell; 0:
                           // 64 channels each, or as many as a small encoder has
};

struct ImportedModel {
  ModelKind kind = ModelKind::kEncoder;
  std::string summary;             // one line: what it is
  std::vector<std::string> notes;  // what was left out or is not known
  TensorFile file;                 // published names; with metadata but for hashes; mapped
};

/// Recognises a fine-tuned recognizer, an encoder (bare names, `encoder.`, or USR's prefix, nested
/// or not) or a language model. Names and shapes must be exactly those of the model that the
/// configuration gives. What <name>.settings.json beside the file says of input and decoding is
/// taken over. Throws CheckpointError with the file and every name that does not fit, when those
/// settings are of other weights or damaged, and as open_weights does.
ImportedModel import_model(const std::filesystem::path& file, const ImportOptions& options = {});
/// The same of a file that is open already, and verified by whoever opened it.
ImportedModel import_model(const std::filesystem::path& file, WeightsFile opened,
                           const ImportOptions& options = {});

/// The metadata in which the SHA-256 of the source stands.
inline constexpr const char* kSourceHash = "source_sha256";

/// Writes a model with the SHA-256 of each tensor and of `source`, the file that it came from.
/// Throws CheckpointError when `source` is damaged (sha256_and_verify); nothing is written then.
void write_imported(const std::filesystem::path& to, const std::filesystem::path& source,
                    const ImportedModel& model);

}  // namespace raven::weights
