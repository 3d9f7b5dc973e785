#include "synth/picture.h"

#include <algorithm>
#include <cmath>

#include "raven/core/error.h"
#include "synth/draws.h"

namespace raven::synth {
namespace {

/// Coefficients times 2^16 of BT.601 with video range.
struct Coefficients {
  int blue, green, red;
};
constexpr Coefficients kLuma{6416, 33039, 16829};
constexpr Coefficients kBlue{28784, -19071, -9713};
constexpr Coefficients kRed{-4681, -24103, 28784};

int weigh(const Coefficients& c, int blue, int green, int red) {
  return c.blue * blue + c.green * green + c.red * red;
}

std::uint8_t clip(double value) {
  return static_cast<std::uint8_t>(std::clamp(std::lround(value), 0L, 255L));
}

}  // namespace

void convert_to_yuv(const cv::Mat& bgr, cv::Mat luma, cv::Mat chroma) {
  RAVEN_CHECK(bgr.rows % 2 == 0 && bgr.cols % 2 == 0 && luma.size() == bgr.size() &&
                  chroma.size() == bgr.size() / 2,
              "picture of {} x {} does not fit", bgr.cols, bgr.rows);
  constexpr int kHalf = 1 << 15;
  for (int y = 0; y < bgr.rows; ++y) {
    const auto* in = bgr.ptr<std::uint8_t>(y);
    auto* out = luma.ptr<std::uint8_t>(y);
    for (int x = 0; x < bgr.cols; ++x) {
      out[x] = static_cast<std::uint8_t>(
          16 + ((weigh(kLuma, in[3 * x], in[3 * x + 1], in[3 * x + 2]) + kHalf) >> 16));
    }
  }
  for (int y = 0; y < chroma.rows; ++y) {
    const auto* above = bgr.ptr<std::uint8_t>(2 * y);
    const auto* below = bgr.ptr<std::uint8_t>(2 * y + 1);
    auto* out = chroma.ptr<std::uint8_t>(y);
    for (int x = 0; x < chroma.cols; ++x) {
      const auto sum = [&](int c) {
        return above[6 * x + c] + above[6 * x + 3 + c] + below[6 * x + c] + below[6 * x + 3 + c];
      };
      const int blue = sum(0), green = sum(1), red = sum(2);
      out[2 * x] =
          static_cast<std::uint8_t>(128 + ((weigh(kBlue, blue, green, red) + 2 * 65536) >> 18));
      out[2 * x + 1] =
          static_cast<std::uint8_t>(128 + ((weigh(kRed, blue, green, red) + 2 * 65536) >> 18));
    }
  }
}

cv::Mat to_bgr(const Picture& picture) {
  cv::Mat bgr(picture.luma.size(), CV_8UC3);
  for (int y = 0; y < bgr.rows; ++y) {
    for (int x = 0; x < bgr.cols; ++x) {
      const double luma = 1.164383 * (picture.luma.at<std::uint8_t>(y, x) - 16);
      const double blue = picture.blue.at<std::uint8_t>(y / 2, x / 2) - 128;
      const double red = picture.red.at<std::uint8_t>(y / 2, x / 2) - 128;
      bgr.at<cv::Vec3b>(y, x) = {clip(luma + 2.017232 * blue),
                                 clip(luma - 0.391762 * blue - 0.812968 * red),
                                 clip(luma + 1.596027 * red)};
    }
  }
  return bgr;
}

const SensorNoise& SensorNoise::tile() {
  static const SensorNoise noise;
  return noise;
}

SensorNoise::SensorNoise() : grain_(kSize, kSize, CV_8S) {
  auto random = stream(0, Purpose::kSensor, 0);
  for (int y = 0; y < kSize; ++y) {
    for (int x = 0; x < kSize; ++x) {
      const auto grain = std::lround(random.normal() * kUnit);
      grain_.at<std::int8_t>(y, x) = static_cast<std::int8_t>(std::clamp(grain, -127L, 127L));
    }
  }
}

}  // namespace raven::synth
