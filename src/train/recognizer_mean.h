// The mean of a run's last checkpoints, which is its finished recognizer, and how it reads beside
// the last of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "raven/config/finetune_config.h"
#include "raven/text/units.h"
#include "raven/train/metrics.h"
#include "raven/weights/safetensors.h"

namespace raven::train {

struct RecognizerMean {
  std::vector<std::int64_t> steps;  // of the checkpoints, ascending
  weights::TensorFile file;
};

/// Of `steps`, ascending, those in the last `share` (0 to 1) of the way from 0 to the last one,
/// which is always there.
std::vector<std::int64_t> in_last_share(std::vector<std::int64_t> steps, double share);

/// Writes `<run>/recognizer.safetensors`: the mean of the last checkpoint.average checkpoints that
/// lie in the last checkpoint.average_share of the run. Throws CheckpointError when none is whole.
RecognizerMean write_mean(const std::filesystem::path& run, const config::FinetuneConfig& config,
                          const text::Units& units);

/// Writes `<run>/recognizer.json`: the steps, and what mean and last checkpoint made of held-out
/// clips (FinetuneTask::evaluate; both empty: not looked at). The log says it, and warns of a mean
/// that makes more word errors.
void tell_mean(const std::filesystem::path& run, const std::vector<std::int64_t>& steps,
               const Numbers& mean, const Numbers& last);

}  // namespace raven::train
