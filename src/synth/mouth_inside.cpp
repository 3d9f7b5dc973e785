#include "synth/mouth_inside.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace raven::synth {
namespace {

using cv::Vec3f;
constexpr double kCentre = kFaceCentreX;
constexpr double kTeethDepth = -3, kTongueDepth = -8;

/// One row of teeth.
struct Teeth {
  double edge_y;                    // of the biting edge, in the middle
  int direction;                    // 1: upper, their roots are above; -1: lower
  double half_width, height, arch;  // arch: how far the outer teeth's edges lie back
  std::array<double, 4> widths;     // from the middle outwards
  double brightness;
};

class InsidePainter {
 public:
  InsidePainter(Canvas& layer, const Speaker& speaker, const Articulation& mouth, const Lips& lips,
                const View& view, double light)
      : layer_(layer), s_(speaker), mouth_(mouth), lips_(lips), view_(view), light_(light) {}

  void paint() {
    const double upper_edge = lips_.centre_y + 2, lower_edge = upper_edge + lips_.teeth_gap;
    const double arch_width = s_.mouth_width * 0.80;
    tongue(lower_edge);
    teeth({lower_edge, -1, arch_width * 0.86, 13, 2.2, {4.0, 4.2, 4.8, 4.4}, 0.90});
    teeth({upper_edge, 1, arch_width, 15, 3.0, {6.2, 4.9, 5.2, 4.0}, 1.0});
    if (mouth_.tongue_forward > 0.2) tongue_tip(upper_edge, lower_edge);
    for (const int side : {-1, 1}) {  // darker towards the corners
      spot(kCentre + side * lips_.inner_width * 0.98, lips_.centre_y + 0.3 * lips_.opening_down,
           0.22 * lips_.inner_width, 9 + 0.3 * lips_.aperture(), {14, 12, 30}, 0.70, -6);
    }
  }

 private:
  void spot(double x, double y, double sx, double sy, const Vec3f& colour, double strength,
            double depth) {
    layer_.spot(view_.project(x, y, depth), sx, sy, colour, strength);
  }

  void tongue(double lower_edge) {
    const double tip = mouth_.tongue_tip, gap = lips_.teeth_gap;
    const double y = lower_edge - 0.24 * gap - 1.2 - (0.76 * gap - 0.8) * tip * tip;
    const double width = s_.mouth_width * (0.66 - 0.14 * tip);
    Polygon outline;
    for (int k = 0; k <= 20; ++k) {
      const double u = -1 + k / 10.0;
      const double back = 4 * std::pow(std::abs(u), 2.6) + 0.7 * std::exp(-u * u / 0.02);
      outline.push_back(view_.project(kCentre + width * u, y + back, kTongueDepth));
    }
    outline.push_back(view_.project(kCentre + 1.15 * width, y + 34, kTongueDepth));
    outline.push_back(view_.project(kCentre - 1.15 * width, y + 34, kTongueDepth));
    layer_.fill(outline, shaded({92, 88, 178}, light_ * (0.74 + 0.18 * tip)));
    spot(kCentre, y + 4, 0.12 * width, 5, {40, 36, 90}, 0.45 * (1 - tip), -6);
    spot(kCentre, y + 2.2, 0.45 * width, 1.5, {150, 150, 215}, 0.28 * light_, -6);
  }

  void teeth(const Teeth& row) {
    const double tooth = std::clamp(s_.teeth_brightness * 1.02 * std::min(1.05, light_), 0.35, 1.0);
    const Vec3f enamel = Vec3f(196, 216, 226) * static_cast<float>(tooth);
    const auto edge_at = [&](double x) {
      const double u = x / row.half_width;
      return row.edge_y - row.direction * row.arch * u * u;
    };
    const double root_y = row.edge_y - row.direction * row.height;
    Polygon outline;
    for (int k = 0; k <= 24; ++k) {
      const double x = row.half_width * (-1 + k / 12.0);
      outline.push_back(view_.project(kCentre + x, edge_at(x), kTeethDepth));
    }
    outline.push_back(view_.project(kCentre + row.half_width, root_y, kTeethDepth));
    outline.push_back(view_.project(kCentre - row.half_width, root_y, kTeethDepth));
    layer_.fill(outline, shaded(enamel, row.brightness));

    double x = 0;  // lines between the teeth, from the middle outwards
    for (std::size_t k = 0; k < row.widths.size(); ++k) {
      const bool gap = k == 0 && s_.tooth_gap && row.direction > 0;
      for (const int side : {-1, 1}) {
        if (k == 0 && side == 1) continue;
        const double edge_y = edge_at(x);
        layer_.line(view_.project(kCentre + side * x, edge_y + row.direction * 0.3, kTeethDepth),
                    view_.project(kCentre + side * x * 0.97,
                                  edge_y - row.direction * row.height * 0.9, kTeethDepth),
                    shaded(enamel, gap ? 0.42 : 0.80), gap ? 2 : 1);
      }
      x += row.widths[k];
    }
    for (const int side : {-1, 1}) {
      spot(kCentre + side * row.half_width * 1.02, row.edge_y - row.direction * 3,
           row.half_width * 0.30, 6, {24, 22, 50}, 0.75, kTeethDepth);
    }
  }

  /// Between the teeth.
  void tongue_tip(double upper_edge, double lower_edge) {
    const double forward = mouth_.tongue_forward, half_width = s_.mouth_width * 0.46;
    const double top = upper_edge - 1.3 * forward;
    const double bottom = std::max(lower_edge + 2.2 * forward, top + 5.0 * forward);
    const auto rounded = [](double value, double power) {
      return std::copysign(std::pow(std::abs(value), power), value);
    };
    Polygon outline;
    for (int k = 0; k < 24; ++k) {
      const double angle = 2 * std::numbers::pi * k / 24;
      outline.push_back(view_.project(
          kCentre + half_width * rounded(std::cos(angle), 0.7),
          (top + bottom) / 2 + (bottom - top) / 2 * 1.15 * rounded(std::sin(angle), 0.8), 2));
    }
    layer_.fill(outline, shaded({100, 98, 196}, 0.98 * light_));
    spot(kCentre, (top + bottom) / 2 + 0.2, 0.5 * half_width, 1, {175, 175, 235}, 0.42 * light_, 2);
    spot(kCentre, bottom + 0.2, 0.8 * half_width, 0.9, {40, 36, 90}, 0.5, 2);
  }

  Canvas& layer_;
  const Speaker& s_;
  const Articulation& mouth_;
  const Lips& lips_;
  const View& view_;
  const double light_;
};

}  // namespace

void paint_mouth_inside(Canvas& layer, const Speaker& speaker, const Articulation& mouth,
                        const Lips& lips, const View& view, double light) {
  InsidePainter(layer, speaker, mouth, lips, view, light).paint();
}

}  // namespace raven::synth
