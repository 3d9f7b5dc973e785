// A recognizer from a file, with all that it needs to be used.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "raven/data/manifest.h"
#include "raven/evaluation/language_model_file.h"
#include "raven/models/recognizer.h"
#include "raven/text/units.h"
#include "raven/weights/model_settings.h"
#include "raven/weights/safetensors.h"

namespace raven::evaluation {

struct LoadedRecognizer {
  models::Recognizer recognizer{nullptr};  // eval mode, on the CPU
  text::Units units;
  weights::ModelSettings settings;
  std::vector<std::string> decoding;  // "decode.beam_size=40": the settings that it was published
                                      // with, for LoadOptions::defaults
  std::filesystem::path file;         // what was read: a .safetensors file or a checkpoint folder
  std::string checksum;               // of the file of weights
  weights::Metadata metadata = {};    // of the file, or of the checkpoint's run
  std::filesystem::path folder;       // where results belong: the run, or the file's folder
  LoadedLanguageModel language_model = {};  // that its search asks, too; empty: none
};

/// A recognizer's file, opened and verified, of which no network was made yet. The tensors of a
/// .safetensors file take no memory before they are used.
struct RecognizerFile {
  std::filesystem::path file, folder;  // as in LoadedRecognizer
  weights::TensorFile content;
  text::Units units;
  weights::ModelSettings settings;
  std::vector<std::string> decoding;
};

/// `path`: a recognizer .safetensors file, one that `raven import` would take (.pth), a run's
/// folder (its finished recognizer, else its newest checkpoint) or a checkpoint folder of
/// fine-tuning. Units that the file does not hold are read beside it (text::Units::beside). Throws
/// CheckpointError when it is none of these, lacks what it needs, or has tensors that do not fit
/// its own settings.
LoadedRecognizer load_recognizer(const std::filesystem::path& path);

/// The same in two steps.
RecognizerFile open_recognizer(const std::filesystem::path& path);
LoadedRecognizer load_recognizer(const RecognizerFile& opened);

/// Throws ConfigError naming file and line of an utterance that lacks what a recognizer of this
/// modality takes; `model` names it.
void require_input(const data::Manifest& manifest, models::Modality modality,
                   const std::string& model);

}  // namespace raven::evaluation
