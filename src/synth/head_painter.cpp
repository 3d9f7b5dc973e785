#include "synth/head_painter.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

#include "raven/core/random.h"
#include "synth/drawing.h"
#include "synth/draws.h"
#include "synth/face_shape.h"

namespace raven::synth {
namespace {

using cv::Vec3f;
constexpr int kDetail = 3;  // painted at three times the size
constexpr double kCentre = kFaceCentreX;
constexpr double kPi = std::numbers::pi;

cv::Point2f point(double x, double y) { return {static_cast<float>(x), static_cast<float>(y)}; }

Vec3f scaled(const Vec3f& colour, double blue, double green, double red) {
  return {static_cast<float>(colour[0] * blue), static_cast<float>(colour[1] * green),
          static_cast<float>(colour[2] * red)};
}

/// Brightness of an ellipsoid head under a distant lamp and light from all sides.
double shade(const Speaker& s, double x, double y) {
  const double nx = (x - kCentre) / (s.face_width * 1.22), ny = (y - 130) / 104;
  const double nz = std::sqrt(std::max(0.06, 1 - nx * nx - ny * ny));
  const double lz = std::sqrt(std::max(0.1, 1 - s.light_x * s.light_x - s.light_y * s.light_y));
  const double diffuse = std::max(0.0, nx * s.light_x + ny * s.light_y + nz * lz);
  return s.ambient + (1.08 - s.ambient) * diffuse;
}

Polygon ellipse(double x, double y, double radius_x, double radius_y, int points) {
  Polygon curve;
  for (int k = 0; k < points; ++k) {
    const double angle = 2 * kPi * k / points;
    curve.push_back(point(x + radius_x * std::cos(angle), y + radius_y * std::sin(angle)));
  }
  return curve;
}

class HeadPainter {
 public:
  explicit HeadPainter(const Speaker& speaker)
      : s_(speaker),
        random_(speaker.texture_seed),
        canvas_(cv::Mat(kFaceSize * kDetail, kFaceSize * kDetail, CV_8UC3), {0, 0}, kDetail),
        dark_(scaled(s_.skin, 0.45, 0.45, 0.55)),
        light_(scaled(s_.skin, 1.25, 1.22, 1.15) + Vec3f(12, 12, 12)) {}

  cv::Mat paint() {
    background();
    body();
    skin();
    top_hair();
    cheeks_and_eye_sockets();
    nose_and_chin();
    brows();
    beard();
    camera();
    cv::Mat picture;
    cv::resize(canvas_.pixels(), picture, {kFaceSize, kFaceSize}, 0, 0, cv::INTER_AREA);
    return picture;
  }

 private:
  void spot(double x, double y, double sx, double sy, const Vec3f& colour, double strength) {
    canvas_.spot(point(x, y), sx, sy, colour, strength);
  }

  void background() {
    auto& pixels = canvas_.pixels();
    for (int y = 0; y < pixels.rows; ++y) {
      auto* row = pixels.ptr<cv::Vec3b>(y);
      for (int x = 0; x < pixels.cols; ++x) {
        const double down = static_cast<double>(y) / pixels.rows,
                     across = static_cast<double>(x) / pixels.cols;
        const auto brightness =
            static_cast<float>(1.08 - 0.25 * down + 0.10 * s_.light_x * (across - 0.5));
        row[x] = cv::Vec3b(s_.background * brightness);
      }
    }
    for (int k = 0; k < 7; ++k) {  // blurred things in the room
      const double x = random_.uniform(0, kFaceSize), y = random_.uniform(0, kFaceSize);
      const double sx = random_.uniform(0.06, 0.2) * kFaceSize,
                   sy = random_.uniform(0.06, 0.25) * kFaceSize;
      const double grey = random_.uniform(20, 235);
      const auto channel = [&] { return static_cast<float>(grey + clipped_normal(random_, 20)); };
      const float blue = channel(), green = channel(), red = channel();
      spot(x, y, sx, sy, {blue, green, red}, random_.uniform(0.15, 0.5));
    }
  }

  /// Hair behind the head, shoulders, neck and ears.
  void body() {
    Polygon hair;
    const double hair_width = s_.face_width + (s_.female ? 15 : 7);
    for (int k = 0; k < 40; ++k) {
      const double angle = 2 * kPi * k / 40;
      const double height = std::sin(angle) <= 0 ? 72 : s_.female ? 118 : 22;
      hair.push_back(
          point(kCentre + hair_width * std::cos(angle), s_.eye_y - 2 + height * std::sin(angle)));
    }
    canvas_.fill(hair, shaded(s_.hair, 0.8));
    const Polygon shoulders = {point(-40, 260),     point(6, 226),   point(60, 212),
                               point(kCentre, 222), point(164, 212), point(218, 226),
                               point(264, 260)};
    canvas_.fill(smooth_curve(shoulders, 8, false), shaded(s_.clothes));
    const Polygon neck = {point(kCentre - 34, 165), point(kCentre - 32, 205),
                          point(kCentre - 46, 219), point(kCentre, 232),
                          point(kCentre + 46, 219), point(kCentre + 32, 205),
                          point(kCentre + 34, 165)};
    canvas_.fill(smooth_curve(neck, 8, true), shaded(s_.skin, 0.66));
    spot(kCentre, s_.chin_y + 6, 24, 11, scaled(s_.skin, 0.25, 0.25, 0.33),
         0.8);  // the chin's shadow
    for (const int side : {-1, 1}) {
      canvas_.fill(ellipse(kCentre + side * (s_.face_width + 2), s_.eye_y + 12, 6, 15, 20),
                   shaded(s_.skin, 0.8));
    }
  }

  void skin() {
    Polygon head = jaw_line(s_);
    for (int k = 1; k < 16; ++k) {  // over the skull, ear to ear
      const double angle = kPi * k / 16;
      head.push_back(point(kCentre + s_.face_width * std::cos(angle),
                           s_.eye_y - 2 - (s_.eye_y - s_.hair_top_y + 6) * std::sin(angle)));
    }
    auto mask = canvas_.filled(CV_8U, 0);
    mask.fill(smooth_curve(head, 4, true), 255);
    cv::GaussianBlur(mask.pixels(), mask.pixels(), {0, 0}, 0.8 * kDetail);
    head_mask_ = mask.pixels();

    cv::Mat uneven(28, 28, CV_32F),
        brightness(kFaceSize, kFaceSize, CV_32F);  // both smooth: computed coarsely
    for (int i = 0; i < 28 * 28; ++i)
      uneven.at<float>(i / 28, i % 28) = static_cast<float>(clipped_normal(random_, 0.012));
    cv::resize(uneven, uneven, head_mask_.size(), 0, 0, cv::INTER_CUBIC);
    for (int y = 0; y < kFaceSize; ++y) {
      for (int x = 0; x < kFaceSize; ++x)
        brightness.at<float>(y, x) = static_cast<float>(shade(s_, x + 0.5, y + 0.5));
    }
    cv::resize(brightness, brightness, head_mask_.size(), 0, 0, cv::INTER_LINEAR);

    for (int y = 0; y < head_mask_.rows; ++y) {
      auto* row = canvas_.pixels().ptr<cv::Vec3b>(y);
      const auto* covered = head_mask_.ptr<std::uint8_t>(y);
      for (int x = 0; x < head_mask_.cols; ++x) {
        if (covered[x] == 0) continue;
        const float share = static_cast<float>(covered[x]) / 255;
        const float shaded_skin = brightness.at<float>(y, x) * (1 + uneven.at<float>(y, x));
        row[x] = cv::Vec3b(Vec3f(row[x]) * (1 - share) + s_.skin * (share * shaded_skin));
      }
    }
  }

  void top_hair() {
    Polygon hair;
    for (int k = 0; k <= 16; ++k) {
      const double angle = kPi * (1 + k / 16.0);
      hair.push_back(point(kCentre + (s_.face_width + (s_.female ? 9 : 4)) * std::cos(angle),
                           s_.eye_y - 6 + (s_.eye_y - s_.hair_top_y + 16) * std::sin(angle)));
    }
    const double wave = random_.uniform(0, 7);
    for (int k = 0; k <= 10; ++k) {  // hairline
      const double u = 1 - k / 5.0;
      hair.push_back(point(kCentre + u * (s_.face_width - 1),
                           s_.hair_top_y + 12 + 24 * u * u + 3 * std::sin(5 * u + wave)));
    }
    canvas_.fill(smooth_curve(hair, 3, true), shaded(s_.hair));
    for (int k = 0; k < 26; ++k) {  // strands
      const double u = random_.uniform(-1, 1);
      canvas_.line(point(kCentre + u * 40, s_.hair_top_y - 12 + 10 * u * u),
                   point(kCentre + u * 58, s_.hair_top_y + 8 + 26 * u * u),
                   shaded(s_.hair, random_.uniform(0.7, 1.5)), kDetail);
    }
  }

  void cheeks_and_eye_sockets() {
    const Vec3f red = scaled(s_.skin, 0.72, 0.74, 1.0);
    for (const int side : {-1, 1}) {
      const double eye_x = kCentre + side * s_.eye_distance;
      spot(kCentre + side * 36, 134, 13, 11, red, 0.30);
      spot(kCentre + side * 35, 126, 10, 7, light_, 0.20);
      spot(eye_x, s_.eye_y - 4, 12, 6, dark_, 0.30);
      spot(eye_x, s_.eye_y + 9, 10, 3.5, dark_, 0.16);
      spot(kCentre + side * 9, 104, 4, 9, dark_, 0.18);  // beside the bridge of the nose
      for (int k = 0; k < 10; ++k) {  // fold from the nose to the corner of the mouth
        const double t = k / 9.0;
        spot(kCentre + side * (15.5 + 17 * t), 135 + (s_.mouth_y - 131) * std::pow(t, 1.3), 2.2,
             2.4, dark_, 0.16 * s_.cheek_fold * (1 - 0.5 * t));
      }
    }
  }

  void nose_and_chin() {
    const double lip_groove_y = (138.5 + s_.mouth_y - 6) / 2;
    for (const int side : {-1, 1}) {
      spot(kCentre + side * (s_.nose_width - 2), 131, 3.4, 2.6, dark_, 0.62);
      spot(kCentre + side * (s_.nose_width - 5), 135, 2.3, 1.4, {25, 25, 45}, 0.85);  // nostril
      spot(kCentre + side * 3.2, lip_groove_y, 1.3, 5, light_, 0.18);
    }
    spot(kCentre, 118, 3.6, 14, light_, 0.30);
    spot(kCentre, 129, 6, 4.5, light_, 0.34);
    spot(kCentre, 137.5, 8, 1.8, dark_, 0.42);
    spot(kCentre, lip_groove_y, 1.8, 5, dark_, 0.16);
    spot(kCentre, s_.mouth_y + s_.lower_lip + 7, 15, 3, dark_, 0.26);
    spot(kCentre, s_.chin_y - 12, 12, 8, light_, 0.20);
    spot(kCentre, 70, 30, 12, light_, 0.16);
  }

  void brows() {
    const double thickness = s_.female ? 2.0 : 3.1, y = s_.eye_y - s_.brow_height;
    for (const int side : {-1, 1}) {
      const double x = kCentre + side * s_.eye_distance;
      const Polygon outline = {point(x - side * 15, y + 3),
                               point(x - side * 4, y - 2),
                               point(x + side * 8, y - 3),
                               point(x + side * 17, y + 2),
                               point(x + side * 8, y - 3 + thickness),
                               point(x - side * 4, y - 1 + thickness),
                               point(x - side * 14, y + 3 + thickness)};
      auto part = canvas_.around(outline, 2);
      auto painted = part.copy();
      painted.fill(smooth_curve(outline, 5, true), shaded(s_.hair, 0.9));
      cv::addWeighted(painted.pixels(), 0.82, part.pixels(), 0.18, 0, part.pixels());
    }
  }

  /// Share of hair colour at a point of the face, before its grain.
  [[nodiscard]] double beard_strength(double x, double y) const {
    const double side = std::abs(x - kCentre);
    const double chin = std::clamp((y - 150) / 16 + std::pow(side / 52, 2) * 1.1 - 0.45, 0.0, 1.0);
    const double height = (y - (s_.mouth_y - s_.upper_lip - 4.5)) / 3.4;
    const double above_lip = std::exp(-height * height) * std::clamp((27 - side) / 6, 0.0, 1.0);
    return std::max(0.8 * s_.stubble * std::max(chin, above_lip), s_.moustache * above_lip);
  }

  void beard() {
    if (s_.stubble <= 0 && s_.moustache <= 0) return;
    const int bottom = std::min(canvas_.pixels().rows, static_cast<int>((s_.chin_y + 2) * kDetail));
    for (int y = 134 * kDetail; y < bottom; ++y) {
      auto* row = canvas_.pixels().ptr<cv::Vec3b>(y);
      for (int x = 0; x < canvas_.pixels().cols; ++x) {
        if (head_mask_.at<std::uint8_t>(y, x) < 128) continue;
        const double strength =
            beard_strength(static_cast<double>(x) / kDetail, static_cast<double>(y) / kDetail);
        if (strength < 0.01) continue;
        const auto share = static_cast<float>(strength * (0.55 + 0.45 * random_.uniform()));
        row[x] = cv::Vec3b(Vec3f(row[x]) * (1 - share) + s_.hair * (1.1F * share));
      }
    }
  }

  /// White balance and gain.
  void camera() {
    const cv::Scalar gain(s_.camera_gain * (1 - s_.warmth), s_.camera_gain,
                          s_.camera_gain * (1 + s_.warmth));
    cv::multiply(canvas_.pixels(), gain, canvas_.pixels());
  }

  const Speaker& s_;
  Random random_;
  Canvas canvas_;
  cv::Mat head_mask_;  // 255 on the head
  Vec3f dark_, light_;
};

}  // namespace

cv::Mat paint_head(const Speaker& speaker) { return HeadPainter(speaker).paint(); }

double light_at_mouth(const Speaker& speaker) {
  return shade(speaker, kCentre, speaker.mouth_y) * speaker.camera_gain;
}

}  // namespace raven::synth
