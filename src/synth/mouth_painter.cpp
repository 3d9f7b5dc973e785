#include "synth/mouth_painter.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

#include "synth/mouth_inside.h"

namespace raven::synth {
namespace {

using cv::Vec3f;
constexpr double kCentre = kFaceCentreX;
constexpr int kSections = 26;  // of an outline
constexpr int kBands = 7;      // from the edge of a lip to the mouth, each of its own brightness

double along(int section) { return -std::cos(std::numbers::pi * section / kSections); }

Polygon between(const Polygon& a, const Polygon& b, double share) {
  Polygon middle(a.size());
  const auto s = static_cast<float>(share);
  for (std::size_t i = 0; i < a.size(); ++i) middle[i] = a[i] * (1 - s) + b[i] * s;
  return middle;
}

class MouthPainter {
 public:
  MouthPainter(Canvas& canvas, const Speaker& speaker, const Articulation& mouth, const View& view,
               double light)
      : canvas_(canvas),
        s_(speaker),
        mouth_(mouth),
        view_(view),
        light_(light),
        lips_(speaker, mouth) {
    for (int k = 0; k <= kSections; ++k) {
      outer_upper_.push_back(lips_.outer_upper(along(k)));
      outer_lower_.push_back(lips_.outer_lower(along(k)));
      inner_upper_.push_back(lips_.inner_upper(along(k)));
      inner_lower_.push_back(lips_.inner_lower(along(k)));
    }
  }

  void paint() {
    skin_around();
    lips();
    if (lips_.aperture() > 0.35) inside();
    meeting_line();
    for (const int side : {-1, 1}) {
      spot(canvas_, kCentre + side * lips_.width * 0.97, lips_.centre_y + lips_.corner_offset(side),
           1.5, 1.1, {30, 26, 60}, 0.40, 0.5 * lips_.depth());
    }
  }

 private:
  void spot(Canvas& on, double x, double y, double sx, double sy, const Vec3f& colour,
            double strength, double depth = 0) const {
    on.spot(view_.project(x, y, depth), sx, sy, colour, strength);
  }

  /// Shadow under the lower lip, dimples when spread, swelling when pressed.
  void skin_around() {
    const Vec3f dark = {s_.skin[0] * 0.38F, s_.skin[1] * 0.38F, s_.skin[2] * 0.46F};
    const Vec3f shadow = dark * static_cast<float>(light_);
    const double pressed = mouth_.lips_pressed, round = lips_.protrusion, width = lips_.width;
    const double spread = std::max(0.0, mouth_.spread), y = lips_.centre_y;
    const double below = lips_.outer_lower(0).y, above = lips_.outer_upper(0).y;
    spot(canvas_, kCentre, below + 3.4, width * 0.62, 2.8, shadow,
         0.30 + 0.28 * round - 0.18 * pressed);
    spot(canvas_, kCentre, above - 2.6, width * 0.75, 1.8, shadow, 0.08 + 0.10 * round);
    for (const int side : {-1, 1}) {
      const double drop = 0.5 * 0.82 * jaw_opening(mouth_);
      spot(canvas_, kCentre + side * (width + 1.5), y + lips_.corner_offset(side), 2.2, 2.6, shadow,
           0.22 + 0.22 * spread + 0.18 * pressed);
      spot(canvas_, kCentre + side * (width + 6), y - 4, 2.2, 6.5, shadow, 0.22 * spread);
      if (round > 0.3)
        spot(canvas_, kCentre + side * (width + 5), y + 1, 4.5, 7, shadow, 0.16 * round);
      spot(canvas_, kCentre + side * width * 0.8, y + 9 + drop, 4, 4, shadow, 0.12 * pressed);
    }
    const auto bright = static_cast<float>(light_);
    const Vec3f swelling = {s_.skin[0] * bright * 1.12F, s_.skin[1] * bright * 1.12F,
                            s_.skin[2] * bright * 1.10F};
    if (pressed > 0.1)
      spot(canvas_, kCentre, below + 5.5, width * 0.5, 3.5, swelling, 0.30 * pressed);
  }

  void lips() {
    const double depth = lips_.depth();
    const auto outline =
        ring(view_.project(outer_upper_, 0.6 * depth), view_.project(outer_lower_, 0.6 * depth));
    auto under = canvas_.around(outline, 4);
    auto layer = under.copy();
    bands(layer);
    const double shine_y =
        lips_.centre_y + lips_.opening_down + lips_.lower_height * (0.52 - 0.1 * lips_.protrusion);
    spot(layer, kCentre + 5 * s_.light_x, shine_y, lips_.width * 0.26, lips_.lower_height * 0.15,
         {235, 235, 245},
         (0.20 + 0.12 * lips_.protrusion) * (1 - 0.6 * mouth_.lip_tucked) *
             (1 - 0.5 * mouth_.lips_pressed),
         depth);
    if (lips_.protrusion > 0.25) creases(layer);
    auto mask = under.filled(CV_8U, 0);
    mask.fill(outline, 255);
    cv::GaussianBlur(mask.pixels(), mask.pixels(), {5, 5}, 1.1);
    under.blend(layer, mask.pixels());
  }

  [[nodiscard]] double lip_brightness() const { return light_ * (1.03 - 0.12 * s_.light_y); }

  /// Each lip from its outer edge inwards, so that it looks like a bolster lit from above.
  void bands(Canvas& layer) const {
    const double bulge = 0.75 + 0.5 * lips_.protrusion - 0.35 * mouth_.lips_pressed;
    for (int k = 0; k < kBands; ++k) {
      const double t = static_cast<double>(k) / kBands, depth = lips_.depth() * (0.6 + 0.4 * t);
      const double swell =
          0.10 * std::sin(std::numbers::pi * std::min(1.0, 1.3 * t)) - 0.34 * t * t - 0.02;
      const auto band = ring(between(outer_upper_, inner_upper_, t), inner_upper_);
      layer.fill(view_.project(band, depth),
                 shaded(s_.lips, 0.93 * lip_brightness() * (1 + bulge * swell)));
    }
    for (int k = 0; k < kBands; ++k) {
      const double t = static_cast<double>(k) / kBands, depth = lips_.depth() * (0.6 + 0.4 * t);
      const double ridge = (t - 0.52) / 0.26;
      const double swell =
          0.26 * std::exp(-ridge * ridge) - 0.26 * (1 - t) * (1 - t) - 0.7 * std::max(0.0, t - 0.8);
      const auto band = ring(inner_lower_, between(outer_lower_, inner_lower_, t));
      layer.fill(view_.project(band, depth),
                 shaded(s_.lips, lip_brightness() * (1 + bulge * swell)));
    }
  }

  /// Fine lines of puckered lips.
  void creases(Canvas& layer) const {
    const double depth = lips_.depth();
    const auto colour = shaded(s_.lips, lip_brightness() * (1 - 0.16 * lips_.protrusion));
    const auto crease = [&](cv::Point2f inner, cv::Point2f outer) {
      const auto from = view_.project(inner.x, inner.y, depth),
                 to = view_.project(outer.x, outer.y, depth);
      layer.line(from, from * 0.35F + to * 0.65F, colour);
    };
    for (int k = -3; k <= 3; ++k) {
      const double u = k / 4.2;
      crease(lips_.inner_lower(u), lips_.outer_lower(u * 0.96));
      crease(lips_.inner_upper(u), lips_.outer_upper(u * 0.96));
    }
  }

  void inside() {
    const auto outline = ring(view_.project(inner_upper_, lips_.depth()),
                              view_.project(inner_lower_, lips_.depth()));
    auto under = canvas_.around(outline, 2);
    auto layer = under.filled(CV_8UC3, shaded({22, 20, 44}, 0.9 * light_));
    paint_mouth_inside(layer, s_, mouth_, lips_, view_, light_);
    lip_shadow(layer);
    auto mask = under.filled(CV_8U, 0);
    mask.fill(outline, 255);
    cv::GaussianBlur(mask.pixels(), mask.pixels(), {3, 3}, 0.7);
    under.blend(layer, mask.pixels());
  }

  /// What the upper lip throws on the teeth.
  void lip_shadow(Canvas& layer) const {
    Polygon above = inner_upper_, below = inner_upper_;
    for (auto& p : above) p.y -= 4;
    for (auto& p : below) p.y += 1 + 0.03F * static_cast<float>(lips_.aperture());
    auto dark = layer.copy();
    dark.fill(view_.project(ring(above, below), 0.8 * lips_.depth()), shaded({26, 22, 56}, light_));
    cv::addWeighted(dark.pixels(), 0.55, layer.pixels(), 0.45, 0, layer.pixels());
  }

  /// The dark line between lips that touch.
  void meeting_line() {
    const double strength = std::clamp(1 - lips_.aperture() / 2.2, 0.0, 1.0);
    if (strength <= 0.02) return;
    auto middle = between(inner_upper_, inner_lower_, 0.5);
    for (int k = 0; k <= kSections; ++k) {
      const double reach = 0.35 * lips_.inner_width + 0.63 * lips_.width;
      middle[static_cast<std::size_t>(k)].x = static_cast<float>(kCentre + reach * along(k));
    }
    const auto line = view_.project(middle, lips_.depth());
    auto under = canvas_.around(line, 4);
    auto layer = under.copy();
    const Vec3f colour = {s_.lips[0] * 0.30F, s_.lips[1] * 0.30F, s_.lips[2] * 0.36F};
    layer.open_line(line, shaded(colour, light_), mouth_.lips_pressed > 0.5 ? 3 : 2);
    cv::GaussianBlur(layer.pixels(), layer.pixels(), {3, 3}, 0.8);
    cv::addWeighted(layer.pixels(), 0.85 * strength, under.pixels(), 1 - 0.85 * strength, 0,
                    under.pixels());
  }

  Canvas& canvas_;
  const Speaker& s_;
  const Articulation& mouth_;
  const View& view_;
  const double light_;
  const Lips lips_;
  Polygon outer_upper_, outer_lower_, inner_upper_, inner_lower_;  // face coordinates
};

}  // namespace

void paint_mouth(Canvas& canvas, const Speaker& speaker, const Articulation& mouth,
                 const View& view, double light) {
  MouthPainter(canvas, speaker, mouth, view, light).paint();
}

cv::Rect mouth_area(const Speaker& speaker, const Articulation& mouth, const View& view) {
  const Lips lips(speaker, mouth);
  const auto centre = view.project(kCentre, lips.centre_y + 0.35 * lips.teeth_gap);
  return {static_cast<int>(centre.x) - 46, static_cast<int>(centre.y) - 34, 92, 80};
}

}  // namespace raven::synth
