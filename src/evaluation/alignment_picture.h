// Where a recognizer looks while it says its hypothesis, for the report (attention.json).
// Shapes: T frames, D encoder width.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "raven/config/decode_config.h"
#include "raven/evaluation/recognizer_file.h"

namespace raven::evaluation {

/// `frames` (1, T, D) of utterance `id`; `units`: of its hypothesis, with the end or without.
/// {"id", "units": [name, ...], "attention": [[weight of each frame], ...], "ctc": [[frame, name],
/// ...]}: a row of the decoder's weights, mean over heads and blocks, for each unit and for the
/// end, and the frames at which the CTC head's best path begins a unit. What the settings do not
/// use is left out. Throws DataError for units outside the vocabulary.
nlohmann::ordered_json alignment_picture(LoadedRecognizer& loaded, const std::string& id,
                                         const torch::Tensor& frames,
                                         const std::vector<std::int64_t>& units,
                                         const config::DecodeConfig& config);

}  // namespace raven::evaluation
