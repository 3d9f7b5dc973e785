// What an open mouth shows: teeth and tongue.
#pragma once

#include "synth/drawing.h"
#include "synth/face_shape.h"

namespace raven::synth {

/// Paints over the whole of `layer`, which is dark; the caller shows it between the lips only.
void paint_mouth_inside(Canvas& layer, const Speaker& speaker, const Articulation& mouth,
                        const Lips& lips, const View& view, double light);

}  // namespace raven::synth
