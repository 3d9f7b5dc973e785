// Painting on a part of the picture at a higher resolution.
#pragma once

#include <opencv2/core.hpp>
#include <vector>

namespace raven::synth {

using Polygon = std::vector<cv::Point2f>;  // picture coordinates

/// `colour` times `brightness`, clipped to 255.
cv::Scalar shaded(const cv::Vec3f& colour, double brightness = 1);

/// A piece of the picture, enlarged. Points are given in picture coordinates throughout.
class Canvas {
 public:
  /// `pixels` BGR, or grey for masks; their first pixel lies at `origin` of the picture, and
  /// `scale` of them make a picture's pixel. Shares the pixels.
  Canvas(cv::Mat pixels, cv::Point2f origin, double scale)
      : pixels_(std::move(pixels)), origin_(origin), scale_(scale) {}

  [[nodiscard]] cv::Mat& pixels() { return pixels_; }
  [[nodiscard]] const cv::Mat& pixels() const { return pixels_; }

  /// A canvas of its own with the same place and the same or other pixels.
  [[nodiscard]] Canvas copy() const { return {pixels_.clone(), origin_, scale_}; }
  [[nodiscard]] Canvas filled(int type, const cv::Scalar& value) const {
    return {cv::Mat(pixels_.size(), type, value), origin_, scale_};
  }
  /// The part of this canvas around the polygon, `margin` picture pixels wider; shares pixels.
  [[nodiscard]] Canvas around(const Polygon& polygon, double margin) const;

  void fill(const Polygon& polygon, const cv::Scalar& colour);
  void line(cv::Point2f from, cv::Point2f to, const cv::Scalar& colour, int thickness = 1);
  void open_line(const Polygon& points, const cv::Scalar& colour, int thickness);
  void disc(cv::Point2f centre, double radius, const cv::Scalar& colour);

  /// Pulls the pixels towards `colour` under a Gaussian spot; `strength` 0 to 1 at its centre.
  void spot(cv::Point2f centre, double deviation_x, double deviation_y, const cv::Vec3f& colour,
            double strength);

  /// This canvas' pixels become those of `layer` where `mask` is 255, and a mixture below.
  void blend(const Canvas& layer, const cv::Mat& mask);

 private:
  [[nodiscard]] cv::Point fixed(cv::Point2f point) const;  // in sixteenths of a canvas pixel

  cv::Mat pixels_;
  cv::Point2f origin_;
  double scale_;
};

/// Catmull-Rom through the points, `steps` per section.
Polygon smooth_curve(const Polygon& points, int steps, bool closed);

/// a from its start to its end, then b backwards.
Polygon ring(const Polygon& a, const Polygon& b);

}  // namespace raven::synth
