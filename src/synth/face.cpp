#include "synth/face.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "raven/core/random.h"
#include "synth/eye_painter.h"
#include "synth/head_painter.h"
#include "synth/mouth_painter.h"

namespace raven::synth {
namespace {

constexpr int kHalfSize = kFaceSize / 2;
constexpr int kStride = 8;  // pixels between exact values of the jaw's movement; linear in between
constexpr int kTableStep = 2;  // entries per pixel of the table below

/// Movement of the skin with the jaw at x = centre, for y in half pixels.
std::vector<float> jaw_table(const Speaker& speaker, double jaw) {
  std::vector<float> table(kTableStep * 2 * kFaceSize);
  for (std::size_t i = 0; i < table.size(); ++i) {
    table[i] = static_cast<float>(
        jaw_drop(speaker, jaw, kFaceCentreX, static_cast<double>(i) / kTableStep));
  }
  return table;
}

float look_up(const std::vector<float>& table, float y) {
  const int last = static_cast<int>(table.size()) - 1;
  return table[static_cast<std::size_t>(std::clamp(static_cast<int>(y * kTableStep), 0, last))];
}

/// values + (values - zero) * light + grain, in 1/256.
void expose_row(const std::uint8_t* values, const std::int8_t* grain, int count, int zero,
                int light, int gain, std::uint8_t* out) {
  const auto l = static_cast<std::int16_t>(light), g = static_cast<std::int16_t>(gain),
             z = static_cast<std::int16_t>(zero);
  for (int x = 0; x < count; ++x) {
    const auto change = static_cast<std::int16_t>((values[x] - z) * l + grain[x] * g + 128);
    out[x] = static_cast<std::uint8_t>(std::clamp(values[x] + (change >> 8), 0, 255));
  }
}

cv::Rect even(cv::Rect area) {
  area &= cv::Rect(0, 0, kFaceSize, kFaceSize);
  const int right = (area.x + area.width) & ~1, bottom = (area.y + area.height) & ~1;
  area.x = (area.x + 1) & ~1;
  area.y = (area.y + 1) & ~1;
  return {area.x, area.y, right - area.x, bottom - area.y};
}

}  // namespace

Face::Face(const Speaker& speaker)
    : speaker_(speaker),
      light_(light_at_mouth(speaker)),
      head_(paint_head(speaker)),
      head_luma_(kFaceSize, kFaceSize, CV_8U),
      head_chroma_(kHalfSize, kHalfSize, CV_8UC2),
      map_x_(kFaceSize, kFaceSize, CV_32F),
      map_y_(kFaceSize, kFaceSize, CV_32F),
      chroma_map_x_(kHalfSize, kHalfSize, CV_32F),
      chroma_map_y_(kHalfSize, kHalfSize, CV_32F) {
  convert_to_yuv(head_, head_luma_, head_chroma_);
}

void Face::draw(const Articulation& mouth, const Pose& pose, std::uint64_t frame_seed,
                Picture& picture) {
  const View view(pose);
  make_map(view, jaw_opening(mouth));
  cv::remap(head_luma_, luma_, map_x_, map_y_, cv::INTER_LINEAR, cv::BORDER_REPLICATE);
  cv::remap(head_chroma_, chroma_, chroma_map_x_, chroma_map_y_, cv::INTER_LINEAR,
            cv::BORDER_REPLICATE);
  for (const int side : {-1, 1}) {
    paint_area(eye_area(speaker_, side, view), [&](Canvas& canvas) {
      paint_eye(canvas, speaker_, side, pose.blink, view, light_);
    });
  }
  paint_area(mouth_area(speaker_, mouth, view),
             [&](Canvas& canvas) { paint_mouth(canvas, speaker_, mouth, view, light_); });
  if (speaker_.lens_blur > 0.35) cv::GaussianBlur(luma_, luma_, {3, 3}, speaker_.lens_blur);
  expose(pose, frame_seed, picture);
}

/// The inverse of the pose, and of the jaw's movement where there is some.
void Face::make_map(const View& view, double jaw) {
  const auto back = view.inverse();
  const auto drop = jaw_table(speaker_, jaw);
  for (int row = 0; row < kFaceSize; ++row) {
    const auto x0 = static_cast<float>(back.xy * row + back.x0),
               y0 = static_cast<float>(back.yy * row + back.y0);
    const auto dx = static_cast<float>(back.xx), dy = static_cast<float>(back.yx);
    auto* xs = map_x_.ptr<float>(row);
    auto* ys = map_y_.ptr<float>(row);
    for (int x = 0; x < kFaceSize; ++x) {
      xs[x] = x0 + dx * static_cast<float>(x);
      ys[x] = y0 + dy * static_cast<float>(x);
    }
    if (std::max(ys[0], ys[kFaceSize - 1]) > static_cast<float>(speaker_.mouth_y))
      add_jaw(row, back, drop);
  }
  for (int row = 0; row < kHalfSize; ++row) {  // a chroma sample lies between four luma samples
    const auto* xs = map_x_.ptr<float>(2 * row);
    const auto* xs_below = map_x_.ptr<float>(2 * row + 1);
    const auto* ys = map_y_.ptr<float>(2 * row);
    const auto* ys_below = map_y_.ptr<float>(2 * row + 1);
    auto* out_x = chroma_map_x_.ptr<float>(row);
    auto* out_y = chroma_map_y_.ptr<float>(row);
    for (int x = 0; x < kHalfSize; ++x) {
      out_x[x] = 0.25F * (xs[2 * x] + xs_below[2 * x + 1]) - 0.25F;
      out_y[x] = 0.25F * (ys[2 * x] + ys_below[2 * x + 1]) - 0.25F;
    }
  }
}

/// Subtracts from a row of map_y_ what the jaw moved the skin by.
void Face::add_jaw(int row, const View::Inverse& back, const std::vector<float>& drop_by_y) {
  constexpr int kKnots = kFaceSize / kStride + 1;
  std::array<float, kKnots> drop{};
  for (int knot = 0; knot < kKnots; ++knot) {
    const double px = knot * kStride;
    const double x = back.xx * px + back.xy * row + back.x0;
    const auto y = static_cast<float>(back.yx * px + back.yy * row + back.y0);
    const auto side = static_cast<float>(std::abs(x - kFaceCentreX) / 62);
    const float share = side < 1 ? 1 - side * side * side : 0;
    const float at_target = look_up(drop_by_y, y) * share;  // refined once at the skin's own place
    drop[static_cast<std::size_t>(knot)] =
        0.5F * (at_target + look_up(drop_by_y, y - at_target) * share);
  }
  auto* ys = map_y_.ptr<float>(row);
  for (std::size_t knot = 0; knot + 1 < kKnots; ++knot) {
    const float step = (drop[knot + 1] - drop[knot]) / kStride;
    for (int i = 0; i < kStride; ++i) *ys++ -= drop[knot] + step * static_cast<float>(i);
  }
}

template <class Paint>
void Face::paint_area(cv::Rect area, Paint paint) {
  constexpr int kDetail = 2;
  area = even(area);
  if (area.width < 8 || area.height < 8) return;
  cv::Mat small, large;
  cv::remap(head_, small, map_x_(area), map_y_(area), cv::INTER_LINEAR, cv::BORDER_REPLICATE);
  cv::resize(small, large, {}, kDetail, kDetail, cv::INTER_LINEAR);
  Canvas canvas(large, cv::Point2f(static_cast<float>(area.x), static_cast<float>(area.y)),
                kDetail);
  paint(canvas);
  cv::resize(large, small, small.size(), 0, 0, cv::INTER_AREA);
  const cv::Rect half(area.x / 2, area.y / 2, area.width / 2, area.height / 2);
  convert_to_yuv(small, luma_(area), chroma_(half));
}

/// Light of this moment and grain of the sensor.
void Face::expose(const Pose& pose, std::uint64_t frame_seed, Picture& picture) const {
  // Each of B, G and R has grain of its own (0.6) and some in common (0.8): what that makes of Y, U
  // and V.
  constexpr double kLumaShare = 0.77, kChromaShare = 0.16;
  const auto in_256ths = [](double value) { return static_cast<int>(std::lround(256 * value)); };
  const int light = std::clamp(in_256ths(pose.light - 1), -40, 40);
  const int luma_gain = in_256ths(speaker_.sensor_noise * kLumaShare / SensorNoise::kUnit);
  const int chroma_gain = in_256ths(speaker_.sensor_noise * kChromaShare / SensorNoise::kUnit);
  Random random(frame_seed);
  const auto& noise = SensorNoise::tile();
  const auto offset = [&] { return static_cast<int>(random.below(SensorNoise::kSize / 2)); };
  const int x = offset(), y = offset(), chroma_x = offset(), chroma_y = offset();
  for (int row = 0; row < kFaceSize; ++row) {
    expose_row(luma_.ptr<std::uint8_t>(row), noise.row(x, y + row), kFaceSize, 16, light, luma_gain,
               picture.luma.ptr<std::uint8_t>(row));
  }
  std::array<std::uint8_t, kHalfSize> blue{}, red{};
  for (int row = 0; row < kHalfSize; ++row) {
    const auto* pairs = chroma_.ptr<std::uint8_t>(row);
    for (std::size_t i = 0; i < kHalfSize; ++i) {
      blue[i] = pairs[2 * i];
      red[i] = pairs[2 * i + 1];
    }
    const auto* grain = noise.row(chroma_x, chroma_y + row);
    expose_row(blue.data(), grain, kHalfSize, 128, light, chroma_gain,
               picture.blue.ptr<std::uint8_t>(row));
    expose_row(red.data(), grain + kHalfSize, kHalfSize, 128, light, chroma_gain,
               picture.red.ptr<std::uint8_t>(row));
  }
}

}  // namespace raven::synth
