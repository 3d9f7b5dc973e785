// dlib's frontal face detector: gradients in cells of 8 x 8 pixels, five filters (front, turned and
// tilted to both sides), windows of 80 x 80 and larger.
#pragma once

#include <memory>
#include <vector>

#include "raven/faces/landmark_model.h"

namespace raven::faces {

struct Detection {
  FaceBox box;
  double score = 0;  // the detector's margin: 0 is where it takes something for a face
};

inline constexpr std::int64_t kSmallestWindow = 80;  // pixels
inline constexpr double kWindowStep = 1.2;           // from a size of window to the next

/// Not thread-safe: make one for each thread; the filters are read once.
class FaceDetector {
 public:
  FaceDetector();
  ~FaceDetector();
  FaceDetector(const FaceDetector&) = delete;
  FaceDetector& operator=(const FaceDetector&) = delete;

  /// All faces whose score is above `least_score`, the best first.
  std::vector<Detection> find(const GreyView& picture, double least_score = 0);
  /// The same in the three smallest sizes of windows: 80, 96 and 115 pixels.
  std::vector<Detection> find_small(const GreyView& picture, double least_score = 0);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace raven::faces
