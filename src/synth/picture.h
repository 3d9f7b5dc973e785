// A picture as the video encoder takes it.
#pragma once

#include <opencv2/core.hpp>

#include "synth/speaker.h"

namespace raven::synth {

/// Planar YUV 4:2:0, BT.601 with video range: luma 16 to 235, chroma 16 to 240 at half the
/// resolution.
struct Picture {
  cv::Mat luma = cv::Mat(kFaceSize, kFaceSize, CV_8U);
  cv::Mat blue = cv::Mat(kFaceSize / 2, kFaceSize / 2, CV_8U);
  cv::Mat red = cv::Mat(kFaceSize / 2, kFaceSize / 2, CV_8U);
};

/// BGR of even width and height to luma of the same size and interleaved (blue, red) chroma of half
/// of it. The outputs must have their sizes: parts of larger pictures are written in place.
void convert_to_yuv(const cv::Mat& bgr, cv::Mat luma, cv::Mat chroma);

/// Back to BGR, for people and tests.
cv::Mat to_bgr(const Picture& picture);

/// Grain of a camera's sensor, the same on every machine. One tile serves all speakers.
class SensorNoise {
 public:
  static constexpr int kSize = 512;
  static constexpr int kUnit = 40;  // grain of one standard deviation

  static const SensorNoise& tile();

  /// Rows of the tile, which repeats; x and y below kSize / 2.
  [[nodiscard]] const std::int8_t* row(int x, int y) const {
    return grain_.ptr<std::int8_t>(y) + x;
  }

 private:
  SensorNoise();
  cv::Mat grain_;
};

}  // namespace raven::synth
