// The face that every frame is turned towards before the mouth is cut out.
#pragma once

#include <array>
#include <cstddef>

namespace raven::corpus {

struct Point {
  double x = 0, y = 0;  // pixels
};

/// 0-16 jaw, 17-26 brows, 27-35 nose, 36-47 eyes, 48-67 mouth (the iBUG order).
inline constexpr std::size_t kNumFacePoints = 68;
inline constexpr std::size_t kFirstMouthPoint = 48;
using FacePoints = std::array<Point, kNumFacePoints>;

/// Width and height of the frame that the mean face lies in.
inline constexpr int kMeanFaceSize = 256;

/// Points that hardly move in speech: two of the nose, the corners of the eyes and of the mouth.
inline constexpr std::array<std::size_t, 8> kStablePoints = {28, 33, 36, 39, 42, 45, 48, 54};

const FacePoints& mean_face();

}  // namespace raven::corpus
