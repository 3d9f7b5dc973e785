// What is kept of a step with NaN or Inf: its batch, and which tensor went wrong first.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "raven/train/finite_watch.h"
#include "raven/train/task.h"

namespace raven::train {

/// Runs the step again and looks, in this order, at inputs, weights, losses and gradients. Writes
/// `<run>/nan/step_00000012/batch_0.safetensors` (one file per batch) and `report.txt`. `reseed`
/// puts the random numbers where that batch of the step had them. Returns the sentence for the
/// user, which names the first bad tensor.
std::string report_nan(Task& task, const FiniteWatch::Step& step, const torch::Device& device,
                       const std::filesystem::path& run,
                       const std::function<void(std::int64_t batch)>& reseed);

}  // namespace raven::train
