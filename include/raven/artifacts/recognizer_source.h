// Where the weights of a whole recognizer come from, and what of which file fine-tuning starts
// from.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "raven/config/finetune_config.h"
#include "raven/models/recognizer.h"
#include "raven/text/units.h"
#include "raven/weights/model_settings.h"
#include "raven/weights/safetensors.h"

namespace raven::artifacts {

struct RecognizerSource {
  std::filesystem::path path;    // what was read
  std::filesystem::path folder;  // where results belong: the run, or the file's folder
  weights::TensorFile content;   // with a recognizer's metadata, as far as they are known, and
                                 // weights::kStep
};

/// `path`: a recognizer .safetensors file, one that `raven import` would take (.pth), a run's
/// folder (its finished recognizer, else its newest checkpoint) or a checkpoint folder of
/// fine-tuning. Units that the file does not hold are read beside it (units_beside). Throws
/// CheckpointError when there is nothing of the kind.
RecognizerSource read_recognizer(const std::filesystem::path& path);

/// What model.init, model.init_parts and model.reinit_blocks ask for, opened; there is no network
/// yet.
struct RecognizerStart {
  std::filesystem::path path;     // what was read
  std::string step;               // of the run that made it; empty: not told
  weights::TensorFile content;    // what is taken, under a recognizer's names
  std::vector<std::string> left;  // what is not, by its part: "ctc (2 tensors)"
  std::function<bool(const std::string& name)> starts_anew;  // of a recognizer's tensors
};

/// Throws CheckpointError as open_encoder() or read_recognizer() do; of a whole recognizer also
/// when it has other sizes than `config` or other units than `units`, naming those that differ. The
/// log says when a file does not tell its units, so that their number alone could be compared.
RecognizerStart open_start(const config::RecognizerConfig& config, const text::Units& units);

/// weights::kStartedStep, where it is told, and weights::kStartedSha256 of the file that `start`
/// was read from.
weights::Metadata origin_of(const RecognizerStart& start);

/// Copies what is taken, and says in the log what that is and what is not; the rest of the
/// recognizer is left as it is. Throws CheckpointError with the first missing, misshapen and
/// unexpected names; nothing is copied then.
void apply_start(const RecognizerStart& start, const config::RecognizerConfig& config,
                 models::Recognizer& recognizer);

/// "the encoder but its after_norm and its last 2 blocks", "the whole recognizer", ...
std::string taken_text(const config::RecognizerConfig& config);

}  // namespace raven::artifacts
