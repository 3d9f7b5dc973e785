#include "synth/drawing.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

namespace raven::synth {
namespace {

constexpr int kFractionBits = 4;  // OpenCV's polygons take fixed-point coordinates

}  // namespace

cv::Scalar shaded(const cv::Vec3f& colour, double brightness) {
  return {std::min(255.0, colour[0] * brightness), std::min(255.0, colour[1] * brightness),
          std::min(255.0, colour[2] * brightness)};
}

cv::Point Canvas::fixed(cv::Point2f point) const {
  const double unit = scale_ * (1 << kFractionBits);
  return {cvRound((point.x - origin_.x) * unit), cvRound((point.y - origin_.y) * unit)};
}

Canvas Canvas::around(const Polygon& polygon, double margin) const {
  auto low = polygon.front(), high = polygon.front();
  for (const auto& point : polygon) {
    low = {std::min(low.x, point.x), std::min(low.y, point.y)};
    high = {std::max(high.x, point.x), std::max(high.y, point.y)};
  }
  const auto edge = [&](double at, float origin) {
    return static_cast<int>(std::floor((at - origin) * scale_));
  };
  cv::Rect part(
      cv::Point(edge(low.x - margin, origin_.x), edge(low.y - margin, origin_.y)),
      cv::Point(edge(high.x + margin, origin_.x) + 1, edge(high.y + margin, origin_.y) + 1));
  part &= cv::Rect({0, 0}, pixels_.size());
  const cv::Point2f corner(static_cast<float>(part.x / scale_),
                           static_cast<float>(part.y / scale_));
  return {pixels_(part), origin_ + corner, scale_};
}

void Canvas::fill(const Polygon& polygon, const cv::Scalar& colour) {
  std::vector<cv::Point> points(polygon.size());
  std::transform(polygon.begin(), polygon.end(), points.begin(),
                 [&](const auto& p) { return fixed(p); });
  const cv::Point* first = points.data();
  const int count = static_cast<int>(points.size());
  cv::fillPoly(pixels_, &first, &count, 1, colour, cv::LINE_AA, kFractionBits);
}

void Canvas::line(cv::Point2f from, cv::Point2f to, const cv::Scalar& colour, int thickness) {
  cv::line(pixels_, fixed(from), fixed(to), colour, thickness, cv::LINE_AA, kFractionBits);
}

void Canvas::open_line(const Polygon& points, const cv::Scalar& colour, int thickness) {
  std::vector<cv::Point> line(points.size());
  std::transform(points.begin(), points.end(), line.begin(),
                 [&](const auto& p) { return fixed(p); });
  cv::polylines(pixels_, line, false, colour, thickness, cv::LINE_AA, kFractionBits);
}

void Canvas::disc(cv::Point2f centre, double radius, const cv::Scalar& colour) {
  const int fixed_radius = static_cast<int>(radius * scale_ * (1 << kFractionBits));
  cv::circle(pixels_, fixed(centre), fixed_radius, colour, cv::FILLED, cv::LINE_AA, kFractionBits);
}

void Canvas::spot(cv::Point2f centre, double deviation_x, double deviation_y,
                  const cv::Vec3f& colour, double strength) {
  constexpr double kReach = 2.6;  // deviations; the spot is below 3.5 % there
  const double cx = (centre.x - origin_.x) * scale_, cy = (centre.y - origin_.y) * scale_;
  const double sx = deviation_x * scale_, sy = deviation_y * scale_;
  const int left = std::max(0, static_cast<int>(cx - kReach * sx));
  const int right = std::min(pixels_.cols, static_cast<int>(cx + kReach * sx) + 1);
  const int top = std::max(0, static_cast<int>(cy - kReach * sy));
  const int bottom = std::min(pixels_.rows, static_cast<int>(cy + kReach * sy) + 1);
  if (left >= right || top >= bottom || strength < 0.004) return;

  // Weights and colour for the bytes of a row, so that the loop below has no channels to tell
  // apart.
  const auto bytes = static_cast<std::size_t>(3 * (right - left));
  thread_local std::vector<float> across, towards;
  across.resize(bytes);
  towards.resize(bytes);
  for (int x = left; x < right; ++x) {
    const double d = (x - cx) / sx;
    const auto weight = static_cast<float>(std::exp(-0.5 * d * d));
    for (int c = 0; c < 3; ++c) {
      const auto i = static_cast<std::size_t>(3 * (x - left) + c);
      across[i] = weight;
      towards[i] = std::clamp(colour[c], 0.0F, 255.0F);
    }
  }
  const float* weights = across.data();
  const float* target = towards.data();
  for (int y = top; y < bottom; ++y) {
    const double d = (y - cy) / sy;
    const auto down = static_cast<float>(strength * std::exp(-0.5 * d * d));
    auto* row = pixels_.ptr<std::uint8_t>(y) + 3 * left;
    for (std::size_t i = 0; i < bytes; ++i) {
      const auto value = static_cast<float>(row[i]);
      row[i] = static_cast<std::uint8_t>(
          static_cast<int>(value + down * weights[i] * (target[i] - value) + 0.5F));
    }
  }
}

void Canvas::blend(const Canvas& layer, const cv::Mat& mask) {
  for (int y = 0; y < pixels_.rows; ++y) {
    auto* to = pixels_.ptr<std::uint8_t>(y);
    const auto* from = layer.pixels_.ptr<std::uint8_t>(y);
    const auto* weights = mask.ptr<std::uint8_t>(y);
    for (int x = 0; x < pixels_.cols; ++x) {
      const int weight = weights[x];
      if (weight == 0) continue;
      for (int i = 3 * x; i < 3 * x + 3; ++i) {
        to[i] = static_cast<std::uint8_t>((to[i] * (255 - weight) + from[i] * weight + 127) / 255);
      }
    }
  }
}

Polygon smooth_curve(const Polygon& points, int steps, bool closed) {
  const int count = static_cast<int>(points.size());
  const auto at = [&](int i) {
    return points[static_cast<std::size_t>(closed ? (i + count) % count
                                                  : std::clamp(i, 0, count - 1))];
  };
  Polygon curve;
  for (int i = 0; i < (closed ? count : count - 1); ++i) {
    const auto a = at(i - 1), b = at(i), c = at(i + 1), d = at(i + 2);
    for (int step = 0; step < steps; ++step) {
      const float t = static_cast<float>(step) / static_cast<float>(steps);
      curve.push_back(0.5F * ((2 * b) + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * (t * t) +
                              (3 * b - a - 3 * c + d) * (t * t * t)));
    }
  }
  if (!closed) curve.push_back(points.back());
  return curve;
}

Polygon ring(const Polygon& a, const Polygon& b) {
  Polygon both = a;
  both.insert(both.end(), b.rbegin(), b.rend());
  return both;
}

}  // namespace raven::synth
