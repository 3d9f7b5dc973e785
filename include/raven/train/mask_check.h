// Whether the masks of a pre-training fit its clips.
#pragma once

#include "raven/config/pretrain_config.h"
#include "raven/data/manifest.h"

namespace raven::train {

/// Tells the share of the frames that masks of this kind hide in clips of these lengths, and warns
/// where clips are no longer than a span. Throws ConfigError when next to nothing would be shown.
/// Draws from streams of its own: training's masks stay as they are.
void check_masks(const config::PretrainConfig& config, const data::Manifest& training);

}  // namespace raven::train
