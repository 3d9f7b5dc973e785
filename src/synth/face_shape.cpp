#include "synth/face_shape.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace raven::synth {
namespace {

cv::Point2f point(double x, double y) { return {static_cast<float>(x), static_cast<float>(y)}; }

double bump(double u, double variance) { return std::exp(-u * u / variance); }

}  // namespace

View::View(const Pose& pose) {
  constexpr double kNeckDepth = 38;  // the head turns about its middle, behind the face
  const double across = std::cos(pose.roll) * pose.scale, lean = std::sin(pose.roll) * pose.scale;
  a11_ = across * std::cos(pose.yaw);
  a12_ = -lean * std::cos(pose.pitch);
  a21_ = lean * std::cos(pose.yaw);
  a22_ = across * std::cos(pose.pitch);
  parallax_x_ = std::sin(pose.yaw);
  parallax_y_ = -std::sin(pose.pitch);
  shift_x_ = kFaceCentreX + pose.shift_x + kNeckDepth * parallax_x_;
  shift_y_ = kFaceCentreY + pose.shift_y + kNeckDepth * parallax_y_;
}

cv::Point2f View::project(double x, double y, double depth) const {
  const double u = x - kFaceCentreX, v = y - kFaceCentreY;
  return point(a11_ * u + a12_ * v + shift_x_ + depth * parallax_x_,
               a21_ * u + a22_ * v + shift_y_ + depth * parallax_y_);
}

Polygon View::project(const Polygon& points, double depth) const {
  Polygon projected;
  projected.reserve(points.size());
  for (const auto& p : points) projected.push_back(project(p.x, p.y, depth));
  return projected;
}

View::Inverse View::inverse() const {
  const double determinant = a11_ * a22_ - a12_ * a21_;
  Inverse back{a22_ / determinant,  -a12_ / determinant, 0,
               -a21_ / determinant, a11_ / determinant,  0};
  back.x0 = kFaceCentreX - back.xx * shift_x_ - back.xy * shift_y_;
  back.y0 = kFaceCentreY - back.yx * shift_x_ - back.yy * shift_y_;
  return back;
}

double jaw_opening(const Articulation& mouth) { return 17 * mouth.jaw; }

double jaw_share(const Speaker& speaker, double y) {
  constexpr double kNeckFade = 34;  // pixels below the chin where the skin is still again
  if (y <= speaker.mouth_y) return 0;
  const double k = (y - speaker.mouth_y) / (speaker.chin_y - speaker.mouth_y);
  if (k <= 1) return k * k * (3 - 2 * k) * 0.55 + 0.45 * k;
  const double q = (y - speaker.chin_y) / kNeckFade;
  return q >= 1 ? 0 : 1 - q * q * (3 - 2 * q);
}

double jaw_drop(const Speaker& speaker, double opening, double x, double y) {
  const double u = std::abs(x - kFaceCentreX) / 62;
  return u >= 1 ? 0 : 0.82 * opening * jaw_share(speaker, y) * (1 - u * u * u);
}

Polygon jaw_line(const Speaker& speaker) {
  const double exponent = (speaker.female ? 0.86 : 0.76) * (1 + (47 - speaker.jaw_width) * 0.02);
  const double top = speaker.eye_y - 2;
  Polygon line;
  for (int k = 0; k <= 16; ++k) {
    const double angle = (k - 8) / 8.0 * std::numbers::pi / 2;
    const double x = speaker.face_width * std::pow(std::abs(std::sin(angle)), exponent);
    const double y = top + (speaker.chin_y - top) * std::pow(std::max(0.0, std::cos(angle)), 0.80);
    line.push_back(point(kFaceCentreX + (angle < 0 ? -x : x), y));
  }
  return line;
}

Lips::Lips(const Speaker& speaker, const Articulation& mouth)
    : bow_(speaker.cupid_bow), asymmetry_(speaker.mouth_asymmetry) {
  const double spread = mouth.spread + speaker.style.rest_spread * 0.5;
  const double wide = std::max(0.0, spread), narrow = std::min(0.0, spread);
  const double opening = mouth.aperture * 24, jaw = jaw_opening(mouth);
  protrusion = mouth.round;
  roundness =
      1 + 1.1 * mouth.round + 0.25 * mouth.aperture;  // of the inner outline: lens to ellipse
  width = speaker.mouth_width * (1 + 0.17 * wide + 0.36 * narrow) * (1 - 0.05 * mouth.aperture);
  inner_width = width * (0.90 - 0.26 * mouth.round);
  opening_up = opening * mouth.upper;
  opening_down = opening * (1 - mouth.upper);
  const double pressed = 1 - 0.55 * mouth.lips_pressed;
  upper_height = speaker.upper_lip *
                 (1 - 0.16 * wide - 0.10 * mouth.aperture + 0.38 * mouth.round) * pressed *
                 (1 - 0.10 * mouth.lip_tucked);
  lower_height = speaker.lower_lip *
                 (1 - 0.16 * wide - 0.14 * mouth.aperture + 0.34 * mouth.round) * pressed *
                 (1 - 0.45 * mouth.lip_tucked);
  centre_y = speaker.mouth_y + 0.06 * jaw;
  teeth_gap = 0.88 * jaw;
  corner = speaker.mouth_corner - 1.4 * wide + 0.10 * jaw;
}

double Lips::closed_line(double u) const {
  return 0.9 * bow_ * bump(u, 0.03) - 0.5 * bow_ * bump(std::abs(u) - 0.33, 0.03);
}

double Lips::corner_offset(double u) const { return corner * u * u + asymmetry_ * 6 * u; }

cv::Point2f Lips::inner_upper(double u) const {
  const double arch = std::pow(std::max(0.0, 1 - u * u), 1 / roundness);
  const double closed = std::clamp(1 - opening_up / 3, 0.0, 1.0);
  return point(kFaceCentreX + inner_width * u, centre_y + corner_offset(u * inner_width / width) -
                                                   opening_up * arch +
                                                   closed_line(u) * (0.35 + 0.65 * closed));
}

cv::Point2f Lips::inner_lower(double u) const {
  const double arch = std::pow(std::max(0.0, 1 - u * u), 1 / roundness);
  const double closed = std::clamp(1 - opening_down / 5, 0.0, 1.0);
  return point(kFaceCentreX + inner_width * u, centre_y + corner_offset(u * inner_width / width) +
                                                   opening_down * arch + closed_line(u) * closed);
}

cv::Point2f Lips::outer_upper(double u) const {
  const double bow =
      1 - 0.22 * bow_ * bump(u, 0.012) + 0.06 * bow_ * bump(std::abs(u) - 0.24, 0.02);
  const double arch = std::pow(std::max(0.0, 1 - u * u), 1 / (roundness * 0.9 + 0.1));
  const double height =
      upper_height * std::pow(std::max(0.0, 1 - std::pow(std::abs(u), 2.2)), 0.85) * bow;
  return point(kFaceCentreX + width * u, centre_y + corner_offset(u) - opening_up * arch - height);
}

cv::Point2f Lips::outer_lower(double u) const {
  const double arch = std::pow(std::max(0.0, 1 - u * u), 1 / (roundness * 0.9 + 0.1));
  const double height =
      lower_height * std::pow(std::max(0.0, 1 - std::pow(std::abs(u), 2.4)), 0.72);
  return point(kFaceCentreX + width * u,
               centre_y + corner_offset(u) + opening_down * arch + height);
}

std::vector<cv::Point2f> landmarks(const Speaker& s, const Articulation& mouth, const View& view) {
  std::vector<cv::Point2f> points;
  points.reserve(68);
  const auto add = [&](double x, double y, double depth = 0) {
    points.push_back(view.project(x, y, depth));
  };

  for (const auto& p : jaw_line(s))
    add(p.x, p.y + jaw_drop(s, jaw_opening(mouth), p.x, p.y));  // 0-16
  for (const int side : {-1, 1}) {                              // 17-26: brows
    for (int k = 0; k < 5; ++k) {
      const double t = side < 0 ? k / 4.0 : 1 - k / 4.0;
      add(kFaceCentreX + side * (s.eye_distance + 17 - 32 * t),
          s.eye_y - s.brow_height + 2 - 5 * std::sin(std::numbers::pi * (0.25 + 0.6 * t)));
    }
  }
  for (int k = 0; k < 4; ++k) {  // 27-30: bridge of the nose
    add(kFaceCentreX, s.eye_y + 2 + k * (129 - s.eye_y - 2) / 3.0, 3 + 2 * k);
  }
  for (int k = -2; k <= 2; ++k) {  // 31-35: nostrils
    const double drop = k == 0 ? 1.2 : std::abs(k) == 1 ? 0.5 : -1;
    add(kFaceCentreX + k * s.nose_width * 0.5, 136 + drop, 5);
  }
  for (const int side : {-1, 1}) {  // 36-47: eyes, upper lid then lower lid
    constexpr std::array<double, 6> kAlong = {-1, -0.35, 0.35, 1, 0.35, -0.35};
    for (std::size_t k = 0; k < 6; ++k) {
      const double lid =
          (k == 0 || k == 3) ? 0 : (k < 3 ? -5.0 : 3.0) * (1 - kAlong[k] * kAlong[k]);
      add(kFaceCentreX + side * s.eye_distance + 11 * kAlong[k], s.eye_y + 1.5 + lid);
    }
  }
  const Lips lips(s, mouth);
  const auto add_lip = [&](cv::Point2f p, double depth) { add(p.x, p.y, depth); };
  constexpr std::array<double, 7> kOuter = {-1, -0.62, -0.24, 0, 0.24, 0.62, 1};
  constexpr std::array<double, 5> kInner = {-1, -0.45, 0, 0.45, 1};
  for (const double u : kOuter) add_lip(lips.outer_upper(u), 0.6 * lips.depth());  // 48-54
  for (std::size_t k = 5; k > 0; --k)
    add_lip(lips.outer_lower(kOuter[k]), 0.6 * lips.depth());                              // 55-59
  for (const double u : kInner) add_lip(lips.inner_upper(u), lips.depth());                // 60-64
  for (std::size_t k = 3; k > 0; --k) add_lip(lips.inner_lower(kInner[k]), lips.depth());  // 65-67
  return points;
}

}  // namespace raven::synth
