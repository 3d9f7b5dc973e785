// What lists a preparation writes: everything, each subset, and what is for validation.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "data/preparation_record.h"
#include "data/validation_fold.h"
#include "raven/data/preparation.h"

namespace raven::data {

/// What the run is to keep for validation, if anything; drawn once everything is prepared. Throws
/// ConfigError where what is asked for cannot be, before any work is done.
std::optional<ValidationFold> wanted_fold(const PreparationOptions& options,
                                          const std::vector<corpus::SourceClip>& clips,
                                          const PreparationRecord& record);

/// Draws it, unless that was done before, and keeps it; empty where there is none.
std::optional<ValidationFold> kept_fold(std::optional<ValidationFold> fold,
                                        PreparationRecord& record);

/// valid.tsv first: what is for validation is never missing while the list of training lacks it.
ValidationList write_lists(const std::filesystem::path& output, const PreparationRecord& record,
                           const std::optional<ValidationFold>& fold);

}  // namespace raven::data
