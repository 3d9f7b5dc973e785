// The picture of a speaker at rest, without eyes and mouth, which are drawn anew for every frame.
#pragma once

#include <opencv2/core.hpp>

#include "synth/speaker.h"

namespace raven::synth {

/// Background, hair, skin, nose, brows, beard: 224 x 224 BGR.
cv::Mat paint_head(const Speaker& speaker);

/// Brightness of the skin around the mouth, camera gain included.
double light_at_mouth(const Speaker& speaker);

}  // namespace raven::synth
