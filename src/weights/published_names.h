// What published files call the parts of a model, and what their shapes tell of its size.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "raven/models/recognizer.h"
#include "raven/weights/safetensors.h"
#include "weights/named_tensors.h"

namespace raven::weights {

/// What stands before `encoders.0...` in the names of the model of a file. Throws CheckpointError
/// naming `source` when there is none, or several of which none is known.
std::string choose_prefix(const TensorFile& file, const std::string& source);

/// The tensors whose names begin with `prefix`, without it.
std::vector<std::pair<std::string, torch::Tensor>> below(const TensorFile& file,
                                                         const std::string& prefix);

/// Names of a shared encoder (USR) as those of one modality, "video" or "audio"; nothing changes
/// for other files. Throws CheckpointError naming `source` when a shared one is not told which.
void keep_modality(std::vector<std::pair<std::string, torch::Tensor>>& tensors,
                   const std::string& modality, const std::string& source);

/// Heads that were asked for (0: not), else `small` (0: not), else as many as published for the
/// width. Throws CheckpointError when the width cannot have so many.
std::int64_t heads_of(std::int64_t asked, std::int64_t dim, std::int64_t small,
                      const NamedTensors& in);

/// Of an encoder whose names begin with `prefix`. Throws CheckpointError for impossible sizes.
void infer_encoder(const NamedTensors& in, const std::string& prefix,
                   models::RecognizerOptions& out);
void infer_decoder(const NamedTensors& in, std::int64_t heads, models::RecognizerOptions& out);

}  // namespace raven::weights
