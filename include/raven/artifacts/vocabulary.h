// The units of a recognizer or language model: beside its weights, and in what its file says of
// itself.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "raven/artifacts/checkpoint.h"
#include "raven/text/units.h"
#include "raven/weights/model_settings.h"

namespace raven::artifacts {

/// The checksum of a vocabulary, which a run's checkpoints keep under kUnitsFile.
std::string units_checksum(const text::Units& units);

/// The vocabulary in the folder of the run of a checkpoint, a folder; empty when there is none.
/// Throws CheckpointError when it is not the one that the weights belong to, DataError for a
/// damaged line. Older checkpoints do not tell which one that is, and the log says so.
std::optional<text::Units> units_of(const std::filesystem::path& checkpoint,
                                    const TrainState& state);

/// The vocabulary in a units file beside a model's file (text::Units::beside); empty when there is
/// none. Throws CheckpointError when settings beside the model name another one, DataError for a
/// damaged line.
std::optional<text::Units> units_beside(const std::filesystem::path& model);

/// What the file of a recognizer says of itself, with all that decoding needs and how it was made.
/// `state`: of a checkpoint of the run that made it; `where` names it. Throws CheckpointError when
/// a value cannot be used.
weights::Metadata recognizer_metadata(const TrainState& state, const text::Units& units,
                                      const std::filesystem::path& where);

/// The same of a language model.
weights::Metadata language_model_metadata(const config::FlatConfig& config,
                                          const text::Units& units,
                                          const std::filesystem::path& where);

}  // namespace raven::artifacts
