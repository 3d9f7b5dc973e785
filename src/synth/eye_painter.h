// Eyes of one frame.
#pragma once

#include "synth/drawing.h"
#include "synth/face_shape.h"

namespace raven::synth {

/// One eye, open or blinking. `side` -1: left in the picture; 1: right.
void paint_eye(Canvas& canvas, const Speaker& speaker, int side, double blink, const View& view,
               double light);

/// The part of the picture that paint_eye may change, not yet clipped to it.
cv::Rect eye_area(const Speaker& speaker, int side, const View& view);

}  // namespace raven::synth
