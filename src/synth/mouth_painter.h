// Lips, teeth and tongue of one frame.
#pragma once

#include "synth/drawing.h"
#include "synth/face_shape.h"

namespace raven::synth {

/// Paints the mouth over the skin in `canvas`. `light`: brightness of the skin around it.
void paint_mouth(Canvas& canvas, const Speaker& speaker, const Articulation& mouth,
                 const View& view, double light);

/// The part of the picture that paint_mouth may change, not yet clipped to it.
cv::Rect mouth_area(const Speaker& speaker, const Articulation& mouth, const View& view);

}  // namespace raven::synth
