// A talking face, frame by frame.
#pragma once

#include <cstdint>
#include <opencv2/core.hpp>
#include <vector>

#include "synth/face_shape.h"
#include "synth/picture.h"

namespace raven::synth {

// Note [Planes]: the head is painted once and warped for every frame. It is kept as luma and
// half-size chroma, because that is what the encoder wants and half of the bytes; only the small
// areas of the mouth and the eyes are drawn in colour, at twice the size, and then put into the
// planes.
class Face {
 public:
  explicit Face(const Speaker& speaker);

  /// One frame. `frame_seed` picks the sensor's grain. The picture's memory is reused.
  void draw(const Articulation& mouth, const Pose& pose, std::uint64_t frame_seed,
            Picture& picture);

  [[nodiscard]] const Speaker& speaker() const { return speaker_; }

 private:
  void make_map(const View& view, double jaw);
  void add_jaw(int row, const View::Inverse& back, const std::vector<float>& drop_by_y);
  template <class Paint>
  void paint_area(cv::Rect area, Paint paint);
  void expose(const Pose& pose, std::uint64_t frame_seed, Picture& picture) const;

  Speaker speaker_;
  double light_;  // at the mouth
  cv::Mat head_;  // BGR, at rest
  cv::Mat head_luma_, head_chroma_;
  cv::Mat map_x_, map_y_;  // where each pixel of the frame lies in head_
  cv::Mat chroma_map_x_, chroma_map_y_;
  cv::Mat luma_, chroma_;  // the frame before the camera
};

}  // namespace raven::synth
