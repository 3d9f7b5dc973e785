// Where things are: from the face at rest to the picture, and the lips' outlines.
#pragma once

#include <opencv2/core.hpp>
#include <vector>

#include "synth/articulation.h"
#include "synth/drawing.h"
#include "synth/head_motion.h"
#include "synth/speaker.h"

namespace raven::synth {

/// The head's pose as an affine map of the (nearly flat) face, with a shift for what stands out of
/// it.
class View {
 public:
  explicit View(const Pose& pose);

  /// Face coordinates to the picture; `depth` pixels towards the camera.
  [[nodiscard]] cv::Point2f project(double x, double y, double depth = 0) const;
  [[nodiscard]] Polygon project(const Polygon& points, double depth) const;

  /// Back to face coordinates (at depth 0): x = xx * px + xy * py + x0, y = yx * px + yy * py + y0.
  struct Inverse {
    double xx, xy, x0, yx, yy, y0;
  };
  [[nodiscard]] Inverse inverse() const;

 private:
  double a11_, a12_, a21_, a22_, shift_x_, shift_y_;
  double parallax_x_, parallax_y_;  // per pixel of depth
};

/// Pixels that the chin is lowered by.
double jaw_opening(const Articulation& mouth);

/// How far skin at height y follows the jaw, 0 above the mouth, 1 at the chin.
double jaw_share(const Speaker& speaker, double y);

/// How far the skin at (x, y) moves down.
double jaw_drop(const Speaker& speaker, double opening, double x, double y);

/// Face outline from ear to ear over the chin, 17 points, jaw closed.
Polygon jaw_line(const Speaker& speaker);

/// The lips of a speaker at one moment. Outlines are functions of u, -1 (picture's left corner)
/// to 1.
class Lips {
 public:
  Lips(const Speaker& speaker, const Articulation& mouth);

  [[nodiscard]] cv::Point2f inner_upper(double u) const;
  [[nodiscard]] cv::Point2f inner_lower(double u) const;
  [[nodiscard]] cv::Point2f outer_upper(double u) const;
  [[nodiscard]] cv::Point2f outer_lower(double u) const;
  /// How far the corner line lies below the mouth's centre.
  [[nodiscard]] double corner_offset(double u) const;

  double width, inner_width;          // half widths
  double opening_up, opening_down;    // of the inner outline, from the line between the lips
  double upper_height, lower_height;  // of the lips themselves
  double centre_y, teeth_gap, roundness, protrusion, corner;

  [[nodiscard]] double aperture() const { return opening_up + opening_down; }
  /// How far the lips stand out of the face, pixels.
  [[nodiscard]] double depth() const { return 3 + 9 * protrusion; }

 private:
  [[nodiscard]] double closed_line(double u) const;

  double bow_, asymmetry_;
};

/// The 68 points of the iBUG annotation, in picture pixels.
std::vector<cv::Point2f> landmarks(const Speaker& speaker, const Articulation& mouth,
                                   const View& view);

}  // namespace raven::synth
