// Floating-point operations of the networks, from their configuration: multiplications and
// additions of convolutions and matrix products; norms, activations and pooling are left out (about
// 1 %).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "raven/config/pretrain_config.h"

namespace raven::train {

/// Of the forward pass, for one video frame (640 samples) of a batch of `clips` utterances of
/// `frames` frames each.
struct FrameFlops {
  double video_frontend = 0, audio_frontend = 0, transformer = 0, predictor = 0;
};
FrameFlops frame_flops(const config::PretrainConfig& config, std::int64_t frames,
                       std::int64_t clips);

/// Of one pre-training step, for one frame: students and predictors forward and backward (3 times
/// the forward pass), teachers forward.
double pretrain_flops(const config::PretrainConfig& config, std::int64_t frames,
                      std::int64_t clips);

/// Dense peak of a GPU by its name, in operations per second; empty for one that is not in the
/// table.
std::optional<double> peak_flops(const std::string& gpu, config::Precision precision);

}  // namespace raven::train
