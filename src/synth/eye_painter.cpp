#include "synth/eye_painter.h"

#include <algorithm>

namespace raven::synth {
namespace {

double centre_x(const Speaker& speaker, int side) {
  return kFaceCentreX + side * speaker.eye_distance;
}

/// A lid's edge from corner to corner; `height` above the corners' line, negative below it.
Polygon lid(const Speaker& speaker, int side, double height, const View& view) {
  Polygon edge;
  for (int k = 0; k <= 12; ++k) {
    const double u = -1 + k / 6.0;
    edge.push_back(
        view.project(centre_x(speaker, side) + 11 * u, speaker.eye_y + 1.5 - height * (1 - u * u)));
  }
  return edge;
}

}  // namespace

void paint_eye(Canvas& canvas, const Speaker& speaker, int side, double blink, const View& view,
               double light) {
  const double open = 1 - blink;
  const auto upper =
      lid(speaker, side, 5.0 * open + 0.3 + (open < 0.5 ? 1.5 : 0) - 2.5 * blink, view);
  const auto outline = ring(upper, lid(speaker, side, -3.0, view));
  if (open > 0.25) {
    auto under = canvas.around(outline, 2);
    auto eyeball = under.copy();
    eyeball.fill(outline, cv::Scalar(215, 218, 222) * std::min(1.0, light));
    const auto iris = view.project(centre_x(speaker, side), speaker.eye_y + 0.3, 4);
    eyeball.disc(iris, 4.6, shaded(speaker.eyes));
    eyeball.disc(iris, 2.1, {12, 12, 12});
    eyeball.disc(iris + cv::Point2f(1.3F, -1.4F), 1.0, {235, 235, 235});
    auto mask = under.filled(CV_8U, 0);
    mask.fill(outline, 255);
    under.blend(eyeball, mask.pixels());
  }
  canvas.open_line(upper, shaded(speaker.hair, 0.55), 2);
}

cv::Rect eye_area(const Speaker& speaker, int side, const View& view) {
  constexpr int kHalf = 17;
  const auto centre = view.project(centre_x(speaker, side), speaker.eye_y);
  return {static_cast<int>(centre.x) - kHalf, static_cast<int>(centre.y) - kHalf, 2 * kHalf,
          2 * kHalf};
}

}  // namespace raven::synth
