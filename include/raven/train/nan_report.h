// What is kept of a step with NaN or Inf: its batch, and which tensor went wrong first.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "raven/train/finite_watch.h"
#include "raven/train/task.h"

namespace raven::train {

/// Runs the step again and looks, in this order, at inputs, weights, losses and gradients. Writes
/// `batch_0.safetensors` (one file per batch) and `report.txt` into `folder`. Returns the sentence
/// for the user, which names the first bad tensor, or says that none of this rank's is.
std::string report_nan(Task& task, const FiniteWatch::Step& step, const torch::Device& device,
                       const std::filesystem::path& folder);

}  // namespace raven::train
