// The finished recognizer of a run: the mean of its last checkpoints, and how it reads beside the
// last of them, or the checkpoint of the best evaluation.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "raven/artifacts/checkpoint.h"
#include "raven/config/finetune_config.h"
#include "raven/text/units.h"
#include "raven/train/metrics.h"
#include "raven/weights/safetensors.h"

namespace raven::train {

struct RecognizerMean {
  std::vector<std::int64_t> steps;                // of the checkpoints, ascending
  std::optional<artifacts::BestSoFar> best = {};  // whose checkpoint it is, alone
  weights::TensorFile file;
};

/// Of `steps`, ascending, those in the last `share` (0 to 1) of the way from 0 to the last one,
/// which is always there.
std::vector<std::int64_t> in_last_share(std::vector<std::int64_t> steps, double share);

/// Writes `<run>/recognizer.safetensors`: the mean of the last checkpoint.average checkpoints that
/// lie in the last checkpoint.average_share of the run, or with validation.keep_best that of the
/// best evaluation (where none gave a number, the mean with a warning). Throws CheckpointError when
/// none is whole, or the best one is not.
RecognizerMean write_mean(const std::filesystem::path& run, const config::FinetuneConfig& config,
                          const text::Units& units);

/// Writes `<run>/recognizer.json`: the steps, and what mean and last checkpoint made of held-out
/// clips (FinetuneTask::evaluate; both empty: not looked at). The log says it, and warns of a mean
/// that makes more word errors.
void tell_mean(const std::filesystem::path& run, const std::vector<std::int64_t>& steps,
               const Numbers& mean, const Numbers& last);

/// Writes `<run>/recognizer.json` of the checkpoint of the best evaluation, and says it.
void tell_best(const std::filesystem::path& run, const artifacts::BestSoFar& best,
               config::KeptBest by);

}  // namespace raven::train
